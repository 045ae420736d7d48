// A real PostgreSQL for specs: one server per Jest worker, started by the first spec that asks, and a fresh
// database for each that wants one. The run's end stops it, and the next run's start does if this one is killed.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { runDirectoryVariable } from './run-directory.mjs';

export interface FreshDatabase {
  readonly name: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly auditUrl: string;
  /** For looking behind the roles' backs in assertions. */
  readonly superuserUrl: string;
  /** Ends its sessions and removes it. */
  drop(): Promise<void>;
}

export interface TestPostgres {
  freshDatabase(): Promise<FreshDatabase>;
}

interface Server {
  readonly pid: number;
  readonly superuserUrl: string;
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly auditUrl: string;
}

/** A folder of this test run, removed with it; what specs start leaves its pid files below it. */
export function runDirectory(): string {
  const directory = process.env[runDirectoryVariable];
  if (directory === undefined)
    throw new Error('start specs through jest.config.mjs: it makes the run directory');
  return directory;
}

/** Module state is lost between spec files of one worker; the server lives on and is found by its note. */
export async function withPostgres(): Promise<TestPostgres> {
  const server = await serverOfThisWorker();
  return { freshDatabase: () => createDatabase(server) };
}

/** A fresh database with the product's three roles and nothing in it. */
export async function freshDatabase(): Promise<FreshDatabase> {
  return (await withPostgres()).freshDatabase();
}

async function serverOfThisWorker(): Promise<Server> {
  const directory = join(runDirectory(), `postgres-${process.env['JEST_WORKER_ID'] ?? '1'}`);
  const note = join(directory, 'server.json');
  const running = readNote(note);
  if (running !== undefined && isAlive(running.pid)) return running;
  mkdirSync(directory, { recursive: true });
  // Imported here: most spec files find the server running, and need not load the whole library.
  const { startEmbeddedPostgres } = await import('#libs/platform');
  const { pid, superuserUrl, ownerUrl, appUrl, auditUrl } = await startEmbeddedPostgres({
    dataDir: join(directory, 'data'),
  });
  const server: Server = { pid, superuserUrl, ownerUrl, appUrl, auditUrl };
  writeFileSync(note, JSON.stringify(server));
  return server;
}

function readNote(path: string): Server | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Server;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function createDatabase(server: Server): Promise<FreshDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await asSuperuser(server, [
    `CREATE DATABASE ${name} OWNER custos_owner`,
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${name} TO custos_app, custos_audit`,
  ]);
  const inIt = (url: string): string => url.replace(/\/[^/]*$/, `/${name}`);
  return {
    name,
    ownerUrl: inIt(server.ownerUrl),
    appUrl: inIt(server.appUrl),
    auditUrl: inIt(server.auditUrl),
    superuserUrl: inIt(server.superuserUrl),
    drop: () => asSuperuser(server, [`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`]),
  };
}

async function asSuperuser(server: Server, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: server.superuserUrl });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

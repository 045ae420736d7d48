// A gateway on a database of its own, beside a simulator of its own: what most end-to-end specs stand on.
import pg from 'pg';
import { type Caller } from './completions.js';
import { Gateway } from './gateway.js';
import { freshDatabase, type FreshDatabase } from './postgres.js';
import { startSimulator, type SimulatorProcess } from './simulator.js';

export interface Stage {
  readonly gateway: Gateway;
  readonly simulator: SimulatorProcess;
  readonly database: FreshDatabase;
  readonly caller: Caller;
  /** Looks behind the roles' backs. */
  sql<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
}

/** Settings of a standalone on somebody's PostgreSQL, each role by its own name. */
export const onDatabase = (
  database: Pick<FreshDatabase, 'ownerUrl' | 'appUrl' | 'auditUrl'>,
): Record<string, string> => ({
  CUSTOS_DATABASE_URL: database.appUrl,
  CUSTOS_MIGRATION_DATABASE_URL: database.ownerUrl,
  CUSTOS_AUDIT_DATABASE_URL: database.auditUrl,
});

export async function openStage(
  environment: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
  const gateway = await Gateway.start({
    ...onDatabase(database),
    CUSTOS_SIMULATOR_URL: simulator.url,
    ...environment,
  }).catch(async (error: unknown) => {
    // Nobody else knows of it, and a child that runs keeps Jest from ending.
    await simulator.stop();
    throw error;
  });
  const pool = new pg.Pool({ connectionString: database.superuserUrl, max: 2 });
  // The server may be killed under it: the next query says so.
  pool.on('error', () => undefined);
  return {
    gateway,
    simulator,
    database,
    caller: callerOf(gateway),
    sql: async <Row extends object>(text: string, values: readonly unknown[] = []) =>
      (await pool.query<Row>(text, [...values])).rows,
    stop: async () => {
      await gateway.stop();
      await simulator.stop();
      await pool.end();
      await database.drop();
    },
  };
}

export const callerOf = (gateway: Gateway): Caller => ({
  v1: gateway.v1,
  apiKey: gateway.bootstrap.apiKey,
});

interface Created {
  readonly id: string;
  readonly secret: string;
}

/** An inference key of the first workspace, made as an administrator makes it; it works when this returns. */
export async function makeKey(
  gateway: Gateway,
  key: Readonly<Record<string, unknown>> = {},
): Promise<Created> {
  const created = await administer<Created>(gateway, 'POST', '/admin/v1/keys', {
    workspaceId: 'ws-default',
    label: 'spec',
    ...key,
  });
  if (created.status !== 201)
    throw new Error(`no key: ${created.status} ${JSON.stringify(created.body)}`);
  return created.body;
}

export async function administer<T>(
  gateway: Gateway,
  method: string,
  path: string,
  body?: unknown,
  key: string = gateway.bootstrap.adminKey,
): Promise<{ status: number; body: T }> {
  const response = await fetch(`${gateway.baseUrl}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as T };
}

export interface OpenEnds {
  readonly held: string;
  readonly open: string;
}

/** Holds and generations that have not ended: both are 0 once everything is settled. */
export async function openEnds(sql: Stage['sql']): Promise<OpenEnds> {
  const [ends] = await sql<OpenEnds>(`
    select (select coalesce(sum(held), 0)::text from ledger.scope_balance) as held,
           (select count(*)::text from ledger.generation where status = 'open') as open`);
  return ends!;
}

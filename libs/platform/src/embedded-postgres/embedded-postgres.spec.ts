import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { runDirectory } from '../../../../test/support/postgres.js';
import { readOrCreateAccess, urlFor } from './access.js';
import { findBinaries } from './binaries.js';
import { createCluster } from './cluster.js';
import { startEmbeddedPostgres } from './embedded-postgres.js';
import type { EmbeddedPostgres } from './embedded-postgres.js';
import { startPostmaster, stopProcess } from './postmaster.js';
import { isAlive, waitUntilGone } from './process-identity.js';
import { chooseSeat } from './run-as.js';

const asRoot = process.getuid?.() === 0;
const testAsRoot = asRoot ? test : test.skip;
const nobody = 65_534;
const support = (name: string): string =>
  fileURLToPath(new URL(`../../../../test/support/${name}`, import.meta.url));

// A clone under /root is out of an ordinary user's reach, and so is the script that he would run.
const nobodyReaches =
  asRoot &&
  spawnSync('test', ['-r', support('hold-postgres.ts')], { uid: nobody, gid: nobody }).status === 0;
const testAsNobody = nobodyReaches ? test : test.skip;

const running = new Set<EmbeddedPostgres>();

async function start(dataDir: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ dataDir });
  running.add(postgres);
  return postgres;
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

const folder = (): Promise<string> => mkdtemp(join(runDirectory(), 'embedded-'));

/** Starts PostgreSQL under a process of its own. @returns that process and the server's id, once a row is durable */
async function holdElsewhere(
  dataDir: string,
  ids: { uid?: number; gid?: number } = {},
): Promise<{ holder: ChildProcess; pid: number }> {
  const flags = ['-C', 'source', '--experimental-transform-types', '--no-warnings'];
  const args = [
    ...flags,
    '--import',
    support('run-typescript.mjs'),
    support('hold-postgres.ts'),
    dataDir,
  ];
  const holder = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'], ...ids });
  let errors = '';
  holder.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')));
  const said = await Promise.race([
    once(holder.stdout, 'data').then(([chunk]) => String(chunk)),
    once(holder, 'exit').then(() => Promise.reject(new Error(`the holder died: ${errors}`))),
  ]);
  return { holder, pid: (JSON.parse(said) as { pid: number }).pid };
}

afterEach(async () => {
  for (const postgres of running) await postgres.stop();
  running.clear();
});

describe('an embedded PostgreSQL', () => {
  test('keeps its data and its port over a stop, with durable settings and roles that are no superusers', async () => {
    const dataDir = await folder();
    const first = await start(dataDir);
    await query(first.ownerUrl, 'CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)');
    await first.stop();
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start(dataDir);
    expect(second.ownerUrl).toBe(first.ownerUrl);
    expect(await query(second.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
    const settings = `SELECT current_setting('fsync') f, current_setting('synchronous_commit') s, current_user u`;
    expect(await query(second.auditUrl, settings)).toEqual([
      { f: 'on', s: 'on', u: 'custos_audit' },
    ]);
    const supers = `SELECT rolname FROM pg_roles WHERE rolsuper AND rolname LIKE 'custos%'`;
    expect(await query(second.appUrl, supers)).toEqual([]);
    await expect(query(second.appUrl, 'SELECT n FROM kept')).rejects.toThrow('permission denied');
    await expect(query(second.appUrl, 'CREATE TABLE mine ()')).rejects.toThrow('permission denied');
    const guess = second.appUrl.replace(/:[^:@]+@/, ':guess@');
    await expect(query(guess, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect((await stat(join(dataDir, 'access.json'))).mode & 0o777).toBe(0o600);
  });

  test('refuses a second gateway on its directory while the first lives', async () => {
    const dataDir = await folder();
    const { holder, pid } = await holdElsewhere(dataDir);
    await expect(startEmbeddedPostgres({ dataDir, lockWaitMs: 100 })).rejects.toMatchObject({
      code: 'data_directory_in_use',
      details: { pid: holder.pid },
    });
    expect(isAlive(pid)).toBe(true);
    // One that is on its way out is waited for.
    const next = start(dataDir);
    holder.stdin?.end();
    expect((await next).pid).not.toBe(pid);
    expect(isAlive(pid)).toBe(false);
  });

  test('left by a gateway that was killed, is stopped at the next start, and every committed row is there', async () => {
    const dataDir = await folder();
    const { holder, pid } = await holdElsewhere(dataDir);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect(isAlive(pid)).toBe(true);

    const next = await start(dataDir);
    expect(await waitUntilGone(pid, 1_000)).toBe(true);
    expect(next.pid).not.toBe(pid);
    expect(await query(next.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  test('killed itself, says so, and recovers at the next start', async () => {
    const dataDir = await folder();
    const first = await start(dataDir);
    await query(first.ownerUrl, 'CREATE TABLE kept AS SELECT 3 AS n');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    await first.stop();
    const second = await start(dataDir);
    expect(await query(second.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 3 }]);
  });

  test('writes no statement and no value to its log, not even for a statement that fails', async () => {
    const dataDir = await folder();
    const postgres = await start(dataDir);
    await query(postgres.ownerUrl, 'CREATE TABLE t (k text PRIMARY KEY)');
    await query(postgres.ownerUrl, `INSERT INTO t VALUES ('canary-1')`);
    await expect(query(postgres.ownerUrl, `INSERT INTO t VALUES ('canary-1')`)).rejects.toThrow(
      'duplicate',
    );
    await expect(query(postgres.ownerUrl, `SELECT 'canary-2'::int`)).rejects.toThrow('canary-2');
    await expect(query(postgres.ownerUrl, 'SELECT canary_3')).rejects.toThrow('canary_3');
    await postgres.stop();
    const log = await readFile(join(dataDir, 'postgres.log'), 'utf8');
    expect(log).toContain('ready to accept connections');
    expect(log).not.toContain('canary');
  });
});

describe('as root', () => {
  testAsRoot('runs where only root may enter', async () => {
    const closed = await folder();
    await chmod(closed, 0o700);
    const postgres = await start(join(closed, 'deep', 'data'));
    expect(await query(postgres.appUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  testAsRoot(
    'without user namespaces, moves programs and data to where an unprivileged user can reach them',
    async () => {
      // The data directory is closed to others; the relocation root is open, as /var/lib is.
      const dataDirectory = await folder();
      const relocationRoot = join(await folder(), 'moved');
      await chmod(join(relocationRoot, '..'), 0o755);
      const choices = { namespaces: false, relocationRoot };
      const access = await readOrCreateAccess(dataDirectory);
      for (const found of ['created', 'found']) {
        const seat = await chooseSeat(dataDirectory, await findBinaries(), choices);
        expect(seat.directory.startsWith(relocationRoot)).toBe(true);
        expect(await createCluster(seat, access)).toBe(found);
        const postmaster = await startPostmaster(seat, dataDirectory, access.port);
        expect((await stat(join(seat.directory, 'cluster'))).uid).not.toBe(0);
        expect(await query(urlFor(access, 'custos_app'), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        await stopProcess(postmaster.pid);
      }
      expect(await readFile(join(dataDirectory, 'RELOCATED'), 'utf8')).toContain(relocationRoot);
    },
  );

  testAsNobody('goes on with a cluster that an ordinary user made', async () => {
    const dataDir = join(await folder(), 'data');
    await chmod(join(dataDir, '..'), 0o755);
    await mkdir(dataDir);
    await chown(dataDir, nobody, nobody);
    const { holder } = await holdElsewhere(dataDir, { uid: nobody, gid: nobody });
    holder.stdin?.end();
    await once(holder, 'exit');
    expect((await stat(join(dataDir, 'cluster'))).uid).toBe(nobody);
    const postgres = await start(dataDir);
    expect(await query(postgres.ownerUrl, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  });

  if (!asRoot)
    console.warn('not root: the specs of the embedded PostgreSQL under root did not run');
});

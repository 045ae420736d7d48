import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import type { Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { StatementQueue } from './statement-queue.js';

const N: readonly Column<number>[] = [{ name: 'n', type: 'int4', of: (n) => n }];
const DIVIDED = { code: '22012' };

describe('statements said before those ahead of them are answered', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custos-queue-'));
  let server: EmbeddedPostgres;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startEmbeddedPostgres({ dataDir: folder });
    client = new pg.Client({ connectionString: server.superuserUrl });
    await client.connect();
    await client.query(
      'create table said (at integer generated always as identity, n integer unique)',
    );
  }, 120_000);

  beforeEach(async () => {
    await client.query('truncate said restart identity');
  });

  afterAll(async () => {
    await client.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const kept = async (): Promise<readonly number[]> =>
    (await client.query<{ n: number }>('select n from said order by at')).rows.map((r) => r.n);

  it('are sent in the order in which they were said, copies among them', async () => {
    const queue = new StatementQueue(client);
    const said = [
      queue.query('insert into said (n) values ($1)', [3]),
      copyRows(queue, 'said', N, [1, 2]),
      queue.query({ text: 'insert into said (n) select max(n) + 10 from said' }),
      copyRows(queue, 'said', N, [0]),
    ];
    await Promise.all(said);
    expect(await kept()).toEqual([3, 1, 2, 13, 0]);
  });

  it('give each its own answer', async () => {
    const queue = new StatementQueue(client);
    const answers = await Promise.all(
      [1, 2, 3].map((n) => queue.query<{ n: number }>('select $1::integer as n', [n])),
    );
    expect(answers.map(({ rows }) => rows[0]?.n)).toEqual([1, 2, 3]);
  });

  it('are not sent behind one that failed, not even a commit to which nobody listens', async () => {
    const queue = new StatementQueue(client);
    await queue.query('begin');
    const inserted = queue.query('insert into said (n) values (1)');
    const failed = queue.query('select 1 / 0');
    const copied = copyRows(queue, 'said', N, [2]);
    const committed = queue.query('commit');
    await expect(inserted).resolves.toMatchObject({ rowCount: 1 });
    await expect(failed).rejects.toMatchObject(DIVIDED);
    await expect(copied).rejects.toMatchObject(DIVIDED);
    await expect(committed).rejects.toMatchObject(DIVIDED);
    // The transaction is still there, and broken: no commit has been sent.
    await expect(client.query('select 1')).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback');
    expect(await kept()).toEqual([]);
  });

  it('are dropped when the queue is closed, and nothing is under way any more', async () => {
    const queue = new StatementQueue(client);
    const reason = new Error('given up');
    await queue.query('begin');
    const running = queue.query('insert into said (n) select 1 from pg_sleep(0.05)');
    // So that it is on its way.
    await breathe();
    const waiting = copyRows(queue, 'said', N, [2]);
    const refused = expect(waiting).rejects.toBe(reason);
    await queue.close(reason);
    await refused;
    await expect(running).resolves.toMatchObject({ rowCount: 1 });
    await expect(queue.query('commit')).rejects.toBe(reason);
    await client.query('rollback');
    expect(await kept()).toEqual([]);
  });

  it('fail with the connection’s error when it ends', async () => {
    const other = new pg.Client({ connectionString: server.superuserUrl });
    other.on('error', () => undefined);
    await other.connect();
    const queue = new StatementQueue(other);
    const ended = queue.query('select pg_terminate_backend(pg_backend_pid())');
    const behind = queue.query('select 1');
    await expect(ended).rejects.toThrow();
    const cause: unknown = await ended.catch((error: unknown) => error);
    await expect(behind).rejects.toBe(cause);
    await other.end().catch(() => undefined);
  });

  it('are handed to the driver one at a time: its own queue is to go', async () => {
    let underWay = 0;
    const most: number[] = [];
    const watched = new Proxy(client, {
      get: (target, name) =>
        name !== 'query'
          ? (Reflect.get(target, name) as unknown)
          : async (text: string) => {
              most.push(++underWay);
              try {
                return await target.query(text);
              } finally {
                underWay--;
              }
            },
    });
    const queue = new StatementQueue(watched);
    await Promise.all([1, 2, 3, 4].map((n) => queue.query(`select ${n}`)));
    expect(most).toEqual([1, 1, 1, 1]);
  });
});

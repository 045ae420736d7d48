import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { TOPICS } from '#libs/audit-events';
import { auditLogMigrations, AuditWriter, PostgresAppendLog } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import { runMigrations, startEmbeddedPostgres, type EmbeddedPostgres } from '#libs/platform';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { fold, readAll, TestWriter } from './append-log-fixtures.js';
import { appendLogContract } from './append-log.contract.js';

const migrate = (url: string) =>
  runMigrations({ url, migrations: auditLogMigrations, tableName: 'log_migrations' });

// A server of its own: this suite kills it.
appendLogContract(async () => {
  const dataDir = mkdtempSync(join(runDirectory(), 'postgres-log-'));
  let server: EmbeddedPostgres = await startEmbeddedPostgres({ dataDir });
  await migrate(server.ownerUrl);
  const open = (url: string) => PostgresAppendLog.open({ url, appendDeadlineMs: 2_000 });
  return {
    openAppender: () => open(server.auditUrl),
    openReader: () => open(server.appUrl),
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      await server.stop();
    },
    restart: async () => {
      server = await startEmbeddedPostgres({ dataDir });
    },
    stop: () => server.stop(),
  };
}, 60_000);

describe('the log in PostgreSQL', () => {
  let database: FreshDatabase;
  let superuser: pg.Client;
  let log: PostgresAppendLog;

  beforeAll(async () => {
    database = await freshDatabase();
    await migrate(database.ownerUrl);
    superuser = new pg.Client({ connectionString: database.superuserUrl });
    await superuser.connect();
    log = await PostgresAppendLog.open({ url: database.appUrl });
  });

  afterAll(async () => {
    await log?.close();
    await superuser?.end();
    await database?.drop();
  });

  const stored = async (writer: string): Promise<number[]> =>
    (
      await superuser.query<{ wseq: string }>(
        'SELECT wseq FROM log.record WHERE writer = $1 ORDER BY "offset"',
        [writer],
      )
    ).rows.map((r) => Number(r.wseq));

  test('a repeated batch is stored once and gets its old offsets', async () => {
    const writer = new TestWriter(log);
    const [first, second] = [writer.batch(4), writer.batch(3)];
    const receipt = await log.appendBatch(first);
    expect(await log.appendBatch(first)).toEqual(receipt);
    const next = await log.appendBatch(second);
    expect(await log.appendBatch(second)).toEqual(next);
    // Older than the last batch.
    expect((await log.appendBatch(first)).offsets).toEqual(
      [0n, 1n, 2n, 3n].map((i) => receipt.baseOffset + i),
    );
    expect(await stored(writer.id)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('a partly known batch is completed, also behind another writer’s records', async () => {
    const writer = new TestWriter(log);
    const known = writer.batch(2);
    const { baseOffset } = await log.appendBatch(known);
    // Another writer on the same partition comes between.
    let other = new TestWriter(log);
    while (other.partition !== writer.partition) other = new TestWriter(log);
    await log.appendBatch(other.batch(3));
    const rest = writer.batch(2);
    const receipt = await log.appendBatch({ ...known, values: [...known.values, ...rest.values] });
    expect(receipt.offsets).toEqual([0n, 1n, 5n, 6n].map((i) => baseOffset + i));
    expect(await stored(writer.id)).toEqual([0, 1, 2, 3]);
  });

  test('a hole in a writer’s sequence is refused, and a move to another partition', async () => {
    const writer = new TestWriter(log);
    const first = writer.batch(2);
    await log.appendBatch(first);
    writer.batch(1);
    await expect(log.appendBatch(writer.batch(1))).rejects.toMatchObject({ code: 'log_gap' });
    const moved = { ...first, firstWseq: 2, partition: (first.partition + 1) % 12 };
    await expect(log.appendBatch(moved)).rejects.toMatchObject({ code: 'log_gap' });
    const unheard = new TestWriter(log);
    unheard.batch(1);
    await expect(log.appendBatch(unheard.batch(1))).rejects.toMatchObject({ code: 'log_gap' });
  });

  test('batches of one send are settled each on its own', async () => {
    const [a, b, c] = [new TestWriter(log), new TestWriter(log), new TestWriter(log)];
    b.batch(1);
    const settled = await log.appendBatches([a.batch(2), b.batch(2), c.batch(2)]);
    expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await stored(c.id)).toEqual([0, 1]);
    const { effects, faults } = fold(await readAll(log));
    expect(effects.get(a.id)).toHaveLength(2);
    expect(faults).toEqual([]);
  });

  test('a retired writer never writes again, and its process is told', async () => {
    const fatal: Error[] = [];
    const writer = new AuditWriter({
      log,
      topic: TOPICS.control,
      app: 'spec',
      clock: new SystemClock(),
      onFatal: (error) => fatal.push(error),
    });
    await writer.start();
    await log.retireWriter(writer.writerId);
    const said = writer.append(
      'custos.writer.heartbeat.v1',
      'x',
      { app: 'spec', at: new Date().toISOString() },
      { admission: true },
    );
    await expect(said).rejects.toMatchObject({ code: 'writer_retired' });
    expect(writer.accepting).toBe(false);
    expect(fatal).toHaveLength(1);
    expect(await stored(writer.writerId)).toEqual([0]);
    await writer.stop();
    const unheard = new TestWriter(log);
    await log.retireWriter(unheard.id);
    await expect(log.appendBatch(unheard.batch(1))).rejects.toMatchObject({
      code: 'writer_retired',
    });
  });

  test('ingress’s role may append and nothing else; nobody may change a record', async () => {
    const appender = await PostgresAppendLog.open({ url: database.auditUrl });
    await appender.appendBatch(new TestWriter(appender).batch(1));
    await appender.close();
    const attempts = [
      'SELECT * FROM log.record',
      `INSERT INTO log.record SELECT * FROM log.record`,
      'UPDATE log.record SET wseq = 0',
      'DELETE FROM log.record',
      'TRUNCATE log.record',
      'UPDATE log.partition SET next_offset = 0',
      'UPDATE log.writer SET last_wseq = -1',
      'DROP TABLE log.record',
    ];
    const refusals = async (url: string, statements: readonly string[]) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      const codes = [];
      for (const text of statements)
        codes.push(
          await client.query(text).then(
            () => 'done',
            (error: { code: string }) => error.code,
          ),
        );
      await client.end();
      return codes;
    };
    const denied = '42501';
    expect(await refusals(database.auditUrl, attempts)).toEqual(attempts.map(() => denied));
    expect(await refusals(database.appUrl, attempts.slice(1))).toEqual(
      attempts.slice(1).map(() => denied),
    );
    // Even the owner is stopped, on the parent and on a range.
    const owned = [
      'UPDATE log.record SET wseq = 0',
      'DELETE FROM log.record',
      'TRUNCATE log.record',
      'TRUNCATE log.record_0',
      'DELETE FROM log.record_0',
      'DELETE FROM log.writer',
      'TRUNCATE log.partition CASCADE',
    ];
    expect(await refusals(database.ownerUrl, owned)).toEqual(owned.map(() => denied));
  });

  test('ingress’s role says the traffic, and nothing in the name of another plane', async () => {
    const as = await PostgresAppendLog.open({ url: database.auditUrl });
    const app = await PostgresAppendLog.open({ url: database.appUrl });
    try {
      for (const topic of [TOPICS.control, TOPICS.ledger]) {
        const batch = { ...new TestWriter(log).batch(1), topic };
        await expect(as.appendBatch(batch)).rejects.toMatchObject({
          code: 'log_unavailable',
          details: { sqlState: '42501' },
        });
        expect(await app.appendBatch(batch)).toMatchObject({ baseOffset: expect.anything() });
      }
      const traffic = { ...new TestWriter(log).batch(1), topic: TOPICS.audit };
      expect(await as.appendBatch(traffic)).toMatchObject({ baseOffset: expect.anything() });
    } finally {
      await as.close();
      await app.close();
    }
  });

  test('settings that would lose a commit are refused, at the check and inside the append', async () => {
    const set = (value: string) =>
      superuser.query(`ALTER ROLE custos_audit IN DATABASE ${database.name} ${value}`);
    const before = await PostgresAppendLog.open({ url: database.auditUrl });
    await set(`SET synchronous_commit = off`);
    await expect(PostgresAppendLog.open({ url: database.auditUrl })).rejects.toMatchObject({
      code: 'log_unsafe',
    });
    await set('RESET synchronous_commit');
    // The session that was open before keeps its own; one that turns safety off is refused by the function.
    await before.check();
    await before.close();
    const client = new pg.Client({ connectionString: database.auditUrl });
    await client.connect();
    const batch = new TestWriter(log).batch(1);
    const append = () =>
      client.query('SELECT * FROM log.append($1, $2, $3, $4, $5, $6, $7)', [
        [batch.topic],
        [batch.partition],
        [batch.writer],
        [batch.firstWseq],
        [1],
        [batch.values[0]!.length],
        batch.values[0],
      ]);
    await client.query('SET synchronous_commit = off');
    await expect(append()).rejects.toMatchObject({ code: 'CU001' });
    await client.query('SET synchronous_commit = on');
    expect((await append()).rows).toMatchObject([{ outcome: 'stored' }]);
    await client.end();
  });

  test('offsets run on over the edge of a range, and what misses its range raises an alarm', async () => {
    const other = await freshDatabase();
    await migrate(other.ownerUrl);
    const owner = new pg.Client({ connectionString: other.superuserUrl });
    await owner.connect();
    const first = await PostgresAppendLog.open({ url: other.appUrl });
    const writer = new TestWriter(first);
    await owner.query('UPDATE log.partition SET next_offset = 4999998 WHERE partition = $1', [
      writer.partition,
    ]);
    const { baseOffset } = await first.appendBatch(writer.batch(4));
    expect(baseOffset).toBe(4_999_998n);
    const from = (await first.endOffsets()).map((p) => ({
      ...p,
      next: p.partition === writer.partition && p.topic === TOPICS.audit ? 4_999_998n : p.next,
    }));
    expect((await readAll(first, from)).map((r) => r.offset)).toEqual([
      4_999_998n,
      4_999_999n,
      5_000_000n,
      5_000_001n,
    ]);
    // Two ranges on, beyond what was created ahead: the net catches it and says so.
    await owner.query('UPDATE log.partition SET next_offset = 20000000 WHERE partition = $1', [
      writer.partition,
    ]);
    await first.appendBatch(writer.batch(1));
    await first.close();
    const alarms: string[] = [];
    const again = await PostgresAppendLog.open({
      url: other.appUrl,
      onAlarm: (message) => alarms.push(message),
    });
    expect(alarms).toEqual([expect.stringContaining('record_default')]);
    await again.appendBatch(writer.batch(1));
    await again.close();
    await owner.end();
    await other.drop();
  });
});

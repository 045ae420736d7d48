// The log in PostgreSQL after a month has gone: what it lets go, what it keeps, and what can still be built of the rest.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { readAll, TestWriter } from '../../../../test/contract/append-log-fixtures.js';
import { openRetentionStage, type RetentionStage } from './retention-stage.spec-support.js';

let at: RetentionStage;
beforeEach(async () => {
  at = await openRetentionStage();
  await at.start();
}, 120_000);
afterEach(() => at.close(), 120_000);

interface Begins {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}
interface State {
  readonly log: { readonly begins: readonly Begins[]; readonly unswept: string } | null;
  readonly removed: readonly { readonly endLeaf: string }[];
}
const state = async (): Promise<State> => (await at.stage.get('/audit/v1/retention')).json<State>();

/** Records of the log whose bytes name one of these generations. */
const inLog = async (ids: readonly string[]): Promise<number> =>
  (
    await at.sql(
      `select from log.record
       where convert_from(value, 'UTF8')::json->>'subject' = any($1)`,
      [ids],
    )
  ).length;

async function removed() {
  at.clock.goTo(new Date());
  const outcome = await at.stage.ledger.retention.apply('system:retention');
  await at.stage.settled();
  return outcome;
}
const swept = (): Promise<number> => at.stage.ledger.retention.forgetter.sweep(1_000);
/** The ledger sweeps by itself as well: what counts is what is left. */
async function allSwept(): Promise<void> {
  await swept();
  expect((await state()).log!.unswept).toBe('0');
}
/** As where a run is killed before it comes to the log. */
async function onlyArchiveRemoved(): Promise<void> {
  const { retention, kept } = at.stage.ledger;
  at.clock.goTo(new Date());
  const plan = (await retention.plan())!;
  const said = {
    at: new Date().toISOString(),
    author: 'system:retention',
    policyDigest: plan.policyDigest,
    before: plan.before,
    ranges: plan.removable.map((part) => part.range),
  };
  await at.voice.append('custos.retention.applied.v1', 'retention', said, { admission: false });
  await at.stage.settled();
  expect(await kept.remove(plan.removable[0]!)).toBe('removed');
}
const call = async (sql: string): Promise<unknown> =>
  (await at.sql<{ answer: unknown }>(`select ${sql} as answer`))[0]!.answer;

describe('the log in PostgreSQL', () => {
  it('lets go what the archive has let go, says from where on it begins, and takes records as before', async () => {
    const old = await at.month(14, 100);
    await at.month(13, 60);
    const young = await at.month(2, 60);
    const writer = new TestWriter(at.stage.log);
    const before = await at.stage.log.appendBatch(writer.batch(3));
    expect(await inLog(old)).toBe(200);
    expect((await removed()).log).toEqual({ forgotten: 1, stayed: [] });
    const [gone] = await at.sql<{ n: string }>(
      'select sum(end_offset - first_offset) as n from log.forgotten',
    );
    expect(gone!.n).toBe('256');
    await allSwept();
    expect(await inLog(old)).toBe(0);
    expect(await inLog(young)).toBe(120);
    const { log } = await state();
    expect(log!.begins.length).toBeGreaterThan(0);
    // From its beginning on it has every record; offsets and chains go on.
    const from = (await at.stage.log.endOffsets()).map((p) => ({
      ...p,
      next: BigInt(
        log!.begins.find((b) => b.topic === p.topic && b.partition === p.partition)?.offset ?? 0,
      ),
    }));
    const rest = await readAll(at.stage.log, from);
    const ends = await at.stage.log.endOffsets();
    const sum = (all: readonly { next: bigint }[]) => all.reduce((n, p) => n + p.next, 0n);
    expect(BigInt(rest.length)).toBe(sum(ends) - sum(from));
    const after = await at.stage.log.appendBatch(writer.batch(2));
    expect(after.baseOffset).toBeGreaterThanOrEqual(before.baseOffset + 3n);
    const more = await at.month(0, 5);
    expect(await inLog(more)).toBe(10);
    expect(await at.stage.ledger.fault()).toBeUndefined();
  }, 240_000);

  it('is not built from again: the ledger halts, says from where on the log begins, and has no books', async () => {
    await at.month(14, 100);
    await at.month(13, 60);
    await at.month(2, 10);
    expect((await removed()).log.forgotten).toBe(1);
    await allSwept();
    const { begins } = (await state()).log!;
    await at.stage.stopLedger();
    await at.sql('drop schema ledger cascade; drop table public.ledger_migrations');
    await runMigrations({
      url: at.stage.database.ownerUrl,
      migrations: ledgerMigrations,
      tableName: 'ledger_migrations',
    });
    await at.start();
    while (at.stage.ledger.consumer.role !== 'halted')
      await new Promise((resolve) => setTimeout(resolve, 10));
    const fault = await at.stage.ledger.fault();
    expect(fault).toMatch(/the log begins after the position: .* retention policy/);
    const [, topic, partition, offset] = /topic (\S+), partition (\d+), next 0, begins (\d+)/.exec(
      fault!,
    )!;
    expect(begins).toContainEqual({ topic, partition: Number(partition), offset });
    // At most its own words were read, which it reads first.
    expect(
      await at.sql(
        `select (select count(*) from ledger.generation)::int as generations,
           (select count(*) from ledger.journal)::int as journals`,
      ),
    ).toEqual([{ generations: 0, journals: 0 }]);
  }, 240_000);

  it('keeps what a hold covers that came after it was decided and before it was done, until it is lifted', async () => {
    const old = await at.month(14, 100);
    await at.month(13, 60);
    await onlyArchiveRemoved();
    const decider = new pg.Client({ connectionString: at.stage.database.superuserUrl });
    await decider.connect();
    // Keeps the ledger itself from sweeping until the hold is in the books.
    await decider.query(`select pg_advisory_lock(hashtextextended('custos.log.forget', 0))`);
    await decider.query('select log.forget(0, 256)');
    await at.hold('hold-1', { organisationId: 'org-1' });
    await at.stage.settled();
    await decider.end();
    expect(await swept()).toBe(0);
    expect((await state()).log!.unswept).toBe('256');
    expect(await inLog(old)).toBe(200);
    await at.lift('hold-1');
    await at.stage.settled();
    await allSwept();
    expect(await inLog(old)).toBe(0);
  }, 180_000);

  it('goes on where a run was killed between the archive and the log', async () => {
    const old = await at.month(14, 100);
    await at.month(13, 60);
    await onlyArchiveRemoved();
    expect(await inLog(old)).toBe(200);
    expect(await removed()).toMatchObject({ removed: 0, log: { forgotten: 1, stayed: [] } });
    await allSwept();
    expect(await inLog(old)).toBe(0);
  }, 180_000);

  it('drops a table that every partition has passed and that is empty, and no other', async () => {
    await at.month(14, 100);
    await at.month(13, 60);
    await removed();
    await allSwept();
    await at.sql('update log.partition set next_offset = 5000000 + next_offset');
    await at.sql('vacuum log.record');
    // Some are still there: it stays.
    expect(await call('log.drop_empty_range()')).toBe(false);
    await at.sql(`set session_replication_role = replica; delete from log.record`);
    await at.sql('vacuum log.record');
    expect(await call('log.drop_empty_range()')).toBe(true);
    expect(await call(`to_regclass('log.record_0') is null`)).toBe(true);
    expect(await call('log.drop_empty_range()')).toBe(true);
    expect(await call('log.drop_empty_range()')).toBe(false);
    expect(await call(`to_regclass('log.record_1') is not null`)).toBe(true);
    const writer = new TestWriter(at.stage.log);
    expect((await at.stage.log.appendBatch(writer.batch(2))).baseOffset).toBeGreaterThan(
      4_999_999n,
    );
  }, 180_000);
});

/** As after five million records of every partition, all but those of one forgotten. */
const filled = async (butFor: string): Promise<void> => {
  await at.sql('update log.partition set next_offset = 5000000');
  await at.sql(
    `set session_replication_role = replica;
     insert into log.forgotten
       (topic, partition, first_offset, end_offset, swept_to, first_leaf, end_leaf, record_leaf, seen_leaves)
     select p.topic, p.partition, coalesce(max(f.end_offset), 0), 5000000, coalesce(max(f.end_offset), 0), 0, 256, 0,
       (select size from ledger.tree_state)
     from log.partition p left join log.forgotten f using (topic, partition)
     where p.topic || p.partition <> '${butFor}' group by p.topic, p.partition`,
  );
};

describe('a table of the log', () => {
  it('that was forgotten whole is dropped with its records, and not before', async () => {
    await at.month(14, 100);
    await at.month(13, 60);
    await removed();
    await at.stage.stopLedger();
    const [quiet] = await at.sql<{ partition: number }>(
      `select partition from log.partition where topic = 'custos.control.v1' and next_offset = 0 limit 1`,
    );
    await filled(`custos.control.v1${quiet!.partition}`);
    expect(await call('log.drop_empty_range()')).toBe(false);
    await at.sql(`insert into log.forgotten
        (topic, partition, first_offset, end_offset, swept_to, first_leaf, end_leaf, record_leaf, seen_leaves)
      values ('custos.control.v1', ${quiet!.partition}, 0, 5000000, 0, 0, 256, 0, 0)`);
    // A hold that came since stands in the way.
    await at.sql(`set session_replication_role = replica;
      insert into ledger.legal_hold (hold_id, set_said, set_leaf) values ('h', '{}', 1000000)`);
    expect(await call('log.drop_empty_range()')).toBe(false);
    await at.sql(`set session_replication_role = replica; delete from ledger.legal_hold`);
    const [held] = await at.sql<{ n: string }>('select count(*) as n from log.record_0');
    expect(Number(held!.n)).toBeGreaterThan(0);
    expect(await call('log.drop_empty_range()')).toBe(true);
    expect(await call('log.drop_empty_range()')).toBe(true);
    expect(await call('log.drop_empty_range()')).toBe(false);
    expect(await call(`to_regclass('log.record_0') is null`)).toBe(true);
    expect(await call('(select sum(end_offset - swept_to)::int from log.forgotten)')).toBe(0);
  }, 180_000);
});

it('a table that was taken off stays while a hold covers what is in it, until that is lifted', async () => {
  await at.month(14, 100);
  await at.month(13, 60);
  await removed();
  await at.stage.stopLedger();
  await filled('');
  const [there] = await at.sql<{ n: string }>('select count(*) as n from log.record_0');
  expect(await call('log.drop_empty_range()')).toBe(true);
  await at.sql(`set session_replication_role = replica;
    insert into ledger.legal_hold (hold_id, set_said, set_leaf) values ('h', '{}', 1000000)`);
  expect(await call('log.drop_empty_range()')).toBe(false);
  expect(await at.sql('select count(*) as n from log.forgotten_0')).toEqual([there]);
  expect(Number(there!.n)).toBeGreaterThan(0);
  await at.sql(`set session_replication_role = replica; delete from ledger.legal_hold`);
  expect(await call('log.drop_empty_range()')).toBe(true);
  expect(await call(`to_regclass('log.forgotten_0') is null`)).toBe(true);
}, 180_000);

it('nothing is deleted while a hold is being posted: it is waited for, and seen', async () => {
  await at.month(14, 100);
  await at.month(13, 60);
  await onlyArchiveRemoved();
  await at.stage.stopLedger();
  await call('log.forget(0, 256)');
  const poster = new pg.Client({ connectionString: at.stage.database.superuserUrl });
  await poster.connect();
  await poster.query('begin');
  await poster.query('set session_replication_role = replica');
  await poster.query(
    `insert into ledger.legal_hold (hold_id, set_said, set_leaf) values ('h', '{}', 1000000)`,
  );
  for (const drop of ['log.sweep(1000)', 'log.drop_empty_range()'])
    await expect(call(drop)).rejects.toMatchObject({ code: '55P03' });
  await poster.query('commit');
  await poster.end();
  expect(await call('log.sweep(1000)')).toBeNull();
}, 180_000);

describe('the database lets the log go of nothing', () => {
  it('that the archive has, that no record names, that is held, or that is young by the log’s own clock', async () => {
    await at.month(14, 100);
    await at.month(13, 60);
    expect(await call('log.forget(0, 256)')).toBe('not_recorded');
    await onlyArchiveRemoved();
    expect(await call('log.forget(0, 128)')).toBe('not_recorded');
    await at.sql(`set session_replication_role = replica;
      update ledger.retention_range set removed_at = null`);
    expect(await call('log.forget(0, 256)')).toBe('not_removed');
    await at.sql(`set session_replication_role = replica;
      update ledger.retention_range set removed_at = now()`);
    await at.hold('hold-1', {});
    await at.stage.settled();
    expect(await call('log.forget(0, 256)')).toBe('held');
    await at.lift('hold-1');
    await at.stage.settled();
    // The books were told another time than the log’s.
    await at.sql(
      'set session_replication_role = replica; update log.record set recorded_at = now()',
    );
    expect(await call('log.forget(0, 256)')).toBe('too_young');
    await at.sql(`set session_replication_role = replica;
      update log.record set recorded_at = now() - interval '14 months'`);
    await at.stage.stopLedger();
    await at.sql('update ledger.source_offset set next_offset = 1');
    await expect(call('log.forget(0, 256)')).rejects.toThrow(/no whole part/);
  }, 180_000);

  it('one record that is younger than six months stops the sweep', async () => {
    await at.month(14, 100);
    await at.month(13, 60);
    await onlyArchiveRemoved();
    await at.stage.stopLedger();
    await call('log.forget(0, 256)');
    await at.sql(`set session_replication_role = replica; update log.record r set recorded_at = now()
      from (select topic, partition, first_offset from log.forgotten where end_offset - first_offset > 1 limit 1) f
      where r.topic = f.topic and r.partition = f.partition and r."offset" = f.first_offset`);
    const sweeps = Array.from({ length: 40 }, () => 'select log.sweep(1000)').join(';');
    await expect(at.sql(sweeps)).rejects.toThrow(/younger than/);
  }, 180_000);

  it.each([
    'delete from log.record',
    'delete from log.forgotten',
    'update log.forgotten set swept_to = first_offset',
    `update log.forgotten set end_offset = end_offset + 1`,
    'truncate log.forgotten',
  ])(
    'by the owner’s %s',
    async (statement) => {
      await at.month(14, 100);
      await at.month(13, 60);
      await removed();
      await allSwept();
      for (const url of [at.stage.database.ownerUrl, at.stage.database.appUrl]) {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
        await client.end();
      }
    },
    120_000,
  );

  it('by the ledger’s own word that it is gone', async () => {
    await at.month(14, 10);
    const client = new pg.Client({ connectionString: at.stage.database.appUrl });
    await client.connect();
    await expect(
      client.query(
        `insert into ledger.retention_range (leaf_index, first_leaf, end_leaf, first_hash, last_hash, removed_at)
         values (0, 0, 256, '', '', now())`,
      ),
    ).rejects.toMatchObject({ code: '42501' });
    await client.end();
  }, 120_000);
});

it('a ledger whose log is elsewhere says so, and touches nothing', async () => {
  await at.month(14, 100);
  await at.month(13, 60);
  await at.sql(`set session_replication_role = replica;
    update ledger.source_offset set log_id = 'kafka:elsewhere'`);
  const { kept, retention } = at.stage.ledger;
  expect((await state()).log).toBeNull();
  expect(await kept.onLog((log) => log.unforgotten())).toEqual([]);
  expect(await retention.forgetter.sweep()).toBe(0);
}, 120_000);

// Where in the log a time lies: found by an index, whatever comes before or after it.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { ledgerMigrations, leavesOfTime, type Queryable } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const LEAVES = 30_000;
/** One record a second; partitions are read in turns of so many, the second of each pair before the first. */
const TURN = 500;
const START_MS = Date.parse('2026-01-01T00:00:00.000Z');

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

let database: FreshDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await freshDatabase();
  await runMigrations({
    url: database.ownerUrl,
    migrations: ledgerMigrations,
    tableName: 'ledger_migrations',
  });
  client = new pg.Client({ connectionString: database.superuserUrl });
  await client.connect();
  await client.query('set session_replication_role = replica');
  await client.query(
    `insert into ledger.leaf (leaf_index, source_id, record_offset, leaf_hash, recorded_at, effect)
     select i, 1, i, sha256(int8send(i)), $1::timestamptz + (i + case when i / $2 % 2 = 0 then $2 else -$2 end) * interval '1 second', 'noted'
     from generate_series(0::bigint, $3 - 1) i`,
    [new Date(START_MS).toISOString(), TURN, LEAVES],
  );
  await client.query('analyze ledger.leaf');
}, 300_000);
afterAll(async () => {
  await client.end();
  await database.drop();
}, 60_000);

const second = (n: number): string => new Date(START_MS + n * 1_000).toISOString();
/** The second at which a leaf was taken. */
const takenAt = (leaf: number): number => leaf + (Math.floor(leaf / TURN) % 2 === 0 ? TURN : -TURN);
const ALL = Array.from({ length: LEAVES }, (_, leaf) => leaf);

/** Runs each query twice: for its answer, and for the rows that it touched. */
function watched(): { readonly db: Queryable; readonly touched: () => number } {
  let rows = 0;
  const scanned = (node: PlanNode): number =>
    (node['Node Type'].includes('Scan')
      ? (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']
      : 0) + (node.Plans ?? []).reduce((sum, child) => sum + scanned(child), 0);
  return {
    touched: () => rows,
    db: {
      query: async (query) => {
        const { rows: plans } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `explain (analyze, format json) ${query.text}`,
          query.values,
        );
        rows += scanned(plans[0]!['QUERY PLAN'][0].Plan);
        return client.query(query);
      },
    },
  };
}

describe('the leaves of a time', () => {
  it.each([
    ['a late beginning', LEAVES - 300, undefined],
    ['an early end', undefined, 300],
    ['a piece in the middle', LEAVES / 2 + 100, LEAVES / 2 + 400],
    ['a piece over the edge of a turn', 4 * TURN - 50, 4 * TURN + 50],
  ])('of %s are found by as many rows as it has', async (_, from, to) => {
    const { db, touched } = watched();
    const range = await leavesOfTime(
      db,
      from === undefined ? undefined : second(from),
      to === undefined ? undefined : second(to),
      BigInt(LEAVES),
    );
    const within = ALL.filter(
      (leaf) => takenAt(leaf) >= (from ?? 0) && takenAt(leaf) < (to ?? Infinity),
    );
    expect(within.length).toBeGreaterThan(0);
    expect(range).toEqual({
      first: from === undefined ? 0n : BigInt(Math.min(...within)),
      end: to === undefined ? BigInt(LEAVES) : BigInt(Math.max(...within)) + 1n,
    });
    expect(touched()).toBeLessThanOrEqual(within.length + 10);
  });

  it.each([
    ['before all', '2020-01-01T00:00:00Z', '2020-01-02T00:00:00Z', 0n],
    ['after all', '2030-01-01T00:00:00Z', undefined, BigInt(LEAVES - TURN)],
    ['between two', second(10.4), second(10.6), undefined],
  ])('of a time %s are none, and that takes one row', async (_, from, to, at) => {
    const { db, touched } = watched();
    const { first, end } = await leavesOfTime(db, from, to, BigInt(LEAVES));
    expect(end).toBe(first);
    if (at !== undefined) expect(first).toBe(at);
    expect(touched()).toBeLessThanOrEqual(1);
  });

  it('reach no further than the checkpoint', async () => {
    expect(await leavesOfTime(client, second(0), undefined, 1_000n)).toEqual({
      first: 0n,
      end: 1_000n,
    });
    expect(await leavesOfTime(client, undefined, undefined, 1_000n)).toEqual({
      first: 0n,
      end: 1_000n,
    });
  });
});

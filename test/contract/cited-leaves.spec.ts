// Where cited records stand: found by the index of digests, however much was said before.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { WriterChain, type Citation } from '#libs/audit-events';
import { writerId } from '#libs/kernel';
import { CitedQueries, ledgerMigrations, type Queryable } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { verdictOf } from '../support/cited-file.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const PARTS = 4;
const LEAVES_PER_PART = 8_192;
/** One verdict in so many records; each of a hundred is said again and again. */
const VERDICT_EVERY = 16;
const VERDICTS = 100;

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Relation Name'?: string;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

const chain = new WriterChain(writerId('ingress-1'));
const verdicts = Array.from({ length: VERDICTS }, (_, n) => verdictOf(`scope-${n}`));
const said = verdicts.map(
  (data) => chain.next('custos.decision.recorded.v1', data.digest, 0, data).bytes,
);
const beat = chain.next('custos.writer.heartbeat.v1', 'ingress-1', 0, {
  app: 'ingress',
  at: '2026-01-01T00:00:00.000Z',
}).bytes;
const citation = (n: number): Citation => ({
  type: 'custos.decision.recorded.v1',
  digest: verdicts[n]!.digest,
});
/** The last leaf below a bound that says a verdict. */
function lastBelow(end: number, n: number): bigint {
  for (let leaf = end - 1; leaf >= 0; leaf--)
    if (leaf % VERDICT_EVERY === 0 && (leaf / VERDICT_EVERY) % VERDICTS === n) return BigInt(leaf);
  throw new RangeError('it is nowhere');
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
  await client.query(`do $$ declare part text; begin
    for part in select p.name from ledger.entry_parts() p loop execute format('drop table ledger.%I', part); end loop;
    for i in 0..${PARTS - 1} loop
      part := 'entry_part_' || i;
      perform ledger.make_entry_part(part, i * ${LEAVES_PER_PART}, (i + 1) * ${LEAVES_PER_PART});
      perform ledger.attach_entry_part(part, i * ${LEAVES_PER_PART}, (i + 1) * ${LEAVES_PER_PART});
    end loop; end $$`);
  await client.query(
    `insert into ledger.entry (leaf_index, bytes)
     select i, case when i % $2 = 0 then ($1::bytea[])[(i / $2) % $3 + 1] else $4::bytea end
     from generate_series(0::bigint, $5 - 1) i`,
    [said, VERDICT_EVERY, VERDICTS, beat, PARTS * LEAVES_PER_PART],
  );
}, 300_000);
afterAll(async () => {
  await client.end();
  await database.drop();
}, 60_000);

/** Runs each query twice: for its answer, and for the entries that it touched. */
function watched(): { readonly db: Queryable; readonly touched: () => number } {
  let touched = 0;
  const look = (node: PlanNode): void => {
    if (node['Relation Name']?.startsWith('entry_part'))
      touched +=
        (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
    for (const child of node.Plans ?? []) look(child);
  };
  const db: Queryable = {
    query: async (query) => {
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
        `explain (analyze, format json) ${query.text}`,
        query.values,
      );
      look(rows[0]!['QUERY PLAN'][0].Plan);
      return client.query(query);
    },
  };
  return { db, touched: () => touched };
}

describe.each([
  ['before the database has counted', false],
  ['after it has', true],
])('records that are cited, %s,', (_, counted) => {
  beforeAll(async () => {
    if (counted) await client.query('analyze ledger.entry');
  }, 60_000);
  const first = 3 * LEAVES_PER_PART - 100;

  it('are found by as many rows as say them', async () => {
    const { db, touched } = watched();
    const wanted = [3, 41, 87].map(citation);
    const found = await new CitedQueries(db).sayings(wanted, { first: 0n, end: BigInt(first) });
    expect([...found]).toEqual(wanted.map((c, i) => [c, lastBelow(first, [3, 41, 87][i]!)]));
    // Each is said some twenty times, and read once more for its bytes.
    const sayings = (PARTS * LEAVES_PER_PART) / VERDICT_EVERY / VERDICTS;
    expect(touched()).toBeLessThan(3 * (sayings + 2));
  });

  it('are not found where nobody says them, and nothing is read', async () => {
    const { db, touched } = watched();
    const never = {
      type: 'custos.decision.recorded.v1',
      digest: verdictOf('never').digest,
    } as const;
    const cited = new CitedQueries(db);
    expect(await cited.sayings([never], { first: 0n, end: BigInt(first) })).toEqual(new Map());
    expect(touched()).toBe(0);
  });

  it('are not what another type says under that digest', async () => {
    const { digest } = citation(3);
    const other = { type: 'custos.health.recorded.v1', digest } as const;
    const range = { first: 0n, end: BigInt(LEAVES_PER_PART) };
    expect(await new CitedQueries(client).sayings([other], range)).toEqual(new Map());
  });

  it('lie within the range that is asked for', async () => {
    const wanted = citation(9);
    const leaf = lastBelow(first, 9);
    const cited = new CitedQueries(client);
    const at = async (from: bigint, end: bigint) =>
      (await cited.sayings([wanted], { first: from, end })).get(wanted);
    expect(await at(leaf, leaf + 1n)).toBe(leaf);
    expect(await at(leaf + 1n, leaf + 2n)).toBeUndefined();
    expect(await at(0n, leaf)).toBe(leaf - BigInt(VERDICT_EVERY * VERDICTS));
    expect(await at(5n, 5n)).toBeUndefined();
  });
});

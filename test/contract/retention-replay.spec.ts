// Holds and removals are records: read in another interleaving of partitions they bind the same, and what one tree let go
// another does not.
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import type { LogRecord } from '#libs/audit-events';
import { ledgerMigrations, PostingTransaction } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { at, newGenerationId, PRICE, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const GENERATIONS = 150;
const by = { at: at(0), author: 'key:a', approver: 'key:b', reason: 'proceedings' };

let databases: FreshDatabase[];
let clients: pg.Client[];
beforeEach(() => {
  databases = [];
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.end();
  for (const database of databases) await database.drop();
}, 60_000);

/** A ledger that has read the records in batches of that length, in this order. */
async function read(records: readonly LogRecord[], batch: number): Promise<pg.Client> {
  const database = await freshDatabase();
  databases.push(database);
  const url = database.ownerUrl;
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
  const client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  clients.push(client);
  const posting = new PostingTransaction(client, 'log-1', () => ({
    loadPrices: async () => undefined,
    pricesOf: () => ({ priceOf: () => PRICE }) as never,
    stopsBillingOnCancel: () => undefined,
    nowMs: 0,
  }));
  for (let i = 0; i < records.length; i += batch)
    await posting.applyBatch(records.slice(i, i + batch));
  return client;
}

const rows = async (client: pg.Client, text: string): Promise<unknown[]> =>
  (await client.query(text)).rows;

const STANDING = `select hold_id, organisation_id, set_leaf is not null and lifted_leaf is null as stands
  from ledger.legal_hold order by hold_id`;

it('a replay in another interleaving keeps the same, and removes nothing by records of another tree', async () => {
  const [traffic, rest] = [new Tape(0), new Tape(1)];
  for (let i = 0; i < GENERATIONS; i++) {
    const id = newGenerationId();
    traffic.open('ingress-1', id);
    rest.close('ingress-2', id);
  }
  const set = { ...by, matter: 'case 1' };
  traffic.say('control-1', 'custos.legal_hold.set.v1', 'h', {
    ...set,
    holdId: 'hold-1',
    scope: { organisationId: 'org-9' },
  });
  traffic.say('control-1', 'custos.legal_hold.set.v1', 'h', {
    ...set,
    holdId: 'hold-2',
    scope: {},
  });
  rest.say('control-2', 'custos.legal_hold.lifted.v1', 'h', { ...by, holdId: 'hold-2' });
  const first = await read([...traffic.records, ...rest.records], 1_000);
  const [ends] = (await rows(
    first,
    `select 'sha256:' || encode(a.leaf_hash, 'hex') as first, 'sha256:' || encode(z.leaf_hash, 'hex') as last
     from ledger.leaf a, ledger.leaf z where a.leaf_index = 0 and z.leaf_index = 255`,
  )) as { first: string; last: string }[];
  const said = traffic.say('ledger-1', 'custos.retention.applied.v1', 'retention', {
    at: at(0),
    author: 'system:retention',
    policyDigest: `sha256:${'0'.repeat(64)}`,
    before: '2100-01-01T00:00:00.000Z',
    ranges: [{ firstLeaf: '0', endLeaf: '256', firstHash: ends!.first, lastHash: ends!.last }],
  });
  const again = await read(
    [...rest.records, ...traffic.records].filter((record) => record !== said),
    7,
  );
  for (const client of [first, again]) {
    const posting = new PostingTransaction(client, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => undefined,
      stopsBillingOnCancel: () => undefined,
      nowMs: 0,
    }));
    await posting.applyBatch([said]);
  }
  const verdicts = await Promise.all(
    [first, again].map((client) => rows(client, 'select ledger.remove_entries(0, 256) as why')),
  );
  // The tree that said it looks on, at partition and age; to the other it says nothing.
  expect(verdicts).toEqual([[{ why: 'not_a_partition' }], [{ why: 'not_recorded' }]]);
  expect(await rows(first, STANDING)).toEqual([
    { hold_id: 'hold-1', organisation_id: 'org-9', stands: true },
    { hold_id: 'hold-2', organisation_id: null, stands: false },
  ]);
  expect(await rows(again, STANDING)).toEqual(await rows(first, STANDING));
  const leaves = `select encode(leaf_hash, 'hex') as hash, effect from ledger.leaf order by 1`;
  expect(await rows(again, leaves)).toEqual(await rows(first, leaves));
}, 120_000);

// The leaves are cut at four million, the entries at multiples of 524,288: one batch that goes across both.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  claimLogIdentity,
  ledgerMigrations,
  LogQueries,
  nextCheckpoint,
  PostingTransaction,
} from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { CompactRange, generateKey, leafHash, parseSignerKey } from '#libs/transparency';
import { newGenerationId, PRICE, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);
const RECORDS = 40;

describe('a batch that goes across the edge of a partition', () => {
  let database: FreshDatabase;
  let client: pg.Client;
  let pool: pg.Pool;
  beforeEach(async () => {
    database = await freshDatabase();
    const url = database.ownerUrl;
    await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migration' });
    client = new pg.Client({ connectionString: database.appUrl });
    await client.connect();
    pool = new pg.Pool({ connectionString: database.appUrl, max: 2 });
    const { name: origin, verifierKey } = signer;
    await claimLogIdentity(pool, { ledgerId: 'main', origin, verifierKey });
  });
  afterEach(async () => {
    await client.end();
    await pool.end();
    await database.drop();
  });

  it.each([
    ['leaves', 4_000_000n],
    ['leaves, far on', 8_000_000n],
    ['entries', 524_288n],
    ['a level of tiles', 65_536n],
  ])('is sealed whole: %s', async (_name, edge) => {
    const size = edge - 16n;
    const hashes = size
      .toString(2)
      .split('')
      .filter((bit) => bit === '1')
      .map((_, i) => leafHash(Buffer.from([i])));
    const tree = new CompactRange(size, hashes);
    const superuser = new pg.Client({ connectionString: database.superuserUrl });
    await superuser.connect();
    await superuser.query('update ledger.tree_state set size = $1, frontier = $2::bytea[]', [
      size.toString(),
      hashes,
    ]);
    await superuser.end();

    const tape = new Tape();
    while (tape.records.length < RECORDS) {
      const id = newGenerationId();
      tape.open('ingress-1', id);
      tape.close('ingress-1', id);
    }
    const posting = new PostingTransaction(client, 'log-1', () => ({
      loadPrices: async () => undefined,
      pricesOf: () => ({ priceOf: () => PRICE }),
      stopsBillingOnCancel: () => true,
      nowMs: Date.now(),
    }));
    expect((await posting.applyBatch(tape.records)).journals).toBe(RECORDS / 2);

    const values = tape.records.map((record) => Buffer.from(record.value));
    for (const value of values) tree.append(leafHash(value));
    const next = await nextCheckpoint(client, signer.name);
    expect(next).toMatchObject({ size: size + BigInt(RECORDS), root: tree.root() });
    const queries = new LogQueries(pool);
    expect(await queries.entries(size, RECORDS)).toEqual(values);
    const after = await queries.tile({ level: 0, index: edge / 256n, width: RECORDS - 16 });
    expect(after).toEqual(Buffer.concat(values.slice(16).map((value) => leafHash(value))));
  });
});

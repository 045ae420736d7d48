// The tree as the posting transaction seals it, on a real PostgreSQL: everything that is claimed of it is recomputed
// from the stored bytes alone.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import {
  Checkpoints,
  checkTree,
  claimLogIdentity,
  ledgerMigrations,
  LogQueries,
  nextCheckpoint,
  OlderLeaves,
  PostingTransaction,
  type CheckpointBody,
  type SettleContext,
} from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import {
  CompactRange,
  consistencyProof,
  generateKey,
  HASH_BYTES,
  inclusionProof,
  leafHash,
  parseSignerKey,
  signNote,
  tilesOf,
  TILE_WIDTH,
  verifyConsistency,
  verifyInclusion,
} from '#libs/transparency';
import { newGenerationId, PRICE, Tape } from '../support/ledger-events.js';
import { freshDatabase, type FreshDatabase } from '../support/postgres.js';

const LOG = 'log-1';
const signer = parseSignerKey(generateKey('localhost/audit/spec').signerKey);

const settleContext = (): SettleContext => ({
  loadPrices: async () => undefined,
  pricesOf: () => ({ priceOf: () => PRICE }),
  stopsBillingOnCancel: () => true,
  nowMs: Date.now(),
});

let database: FreshDatabase;
let client: pg.Client;
let pool: pg.Pool;
let posting: PostingTransaction;
let queries: LogQueries;
let checkpoints: Checkpoints;

beforeEach(openAll);
afterEach(closeAll);

async function openAll(): Promise<void> {
  database = await freshDatabase();
  await runMigrations({
    url: database.ownerUrl,
    migrations: ledgerMigrations,
    tableName: 'ledger_migration',
  });
  client = await connect(database.appUrl);
  pool = new pg.Pool({ connectionString: database.appUrl, max: 4 });
  pool.on('error', () => undefined);
  posting = new PostingTransaction(client, LOG, settleContext);
  queries = new LogQueries(pool);
  checkpoints = new Checkpoints(pool);
  await claimLogIdentity(pool, {
    ledgerId: 'main',
    origin: signer.name,
    verifierKey: signer.verifierKey,
  });
}

async function closeAll(): Promise<void> {
  await client.end();
  await pool.end();
  await database.drop();
}

const everyEntry = async (size: number): Promise<readonly Buffer[]> =>
  (await queries.entries(0n, size))!;

async function connect(url: string): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: url });
  made.on('error', () => undefined);
  await made.connect();
  return made;
}

async function as(url: string, ...statements: readonly string[]): Promise<void> {
  const other = await connect(url);
  try {
    for (const statement of statements) await other.query(statement);
  } finally {
    await other.end();
  }
}

/** So many records of one writer, some of them unreadable. */
function tapeOf(records: number): Tape {
  const tape = new Tape();
  while (tape.records.length < records) {
    const id = newGenerationId();
    tape.open('ingress-1', id);
    tape.put(Buffer.from(`not an event ${tape.records.length}`));
    tape.close('ingress-1', id);
  }
  tape.records.length = records;
  return tape;
}

const hashesOf = (tape: Tape): readonly Buffer[] => tape.records.map((r) => leafHash(r.value));

function rootOf(hashes: readonly Buffer[]): Buffer {
  const tree = new CompactRange();
  for (const hash of hashes) tree.append(hash);
  return tree.root();
}

/** Applies the tape in uneven batches, with a checkpoint after each. */
async function seal(tape: Tape, step = 97): Promise<readonly CheckpointBody[]> {
  const made: CheckpointBody[] = [];
  for (let from = 0; from < tape.records.length; from += step) {
    await posting.applyBatch(tape.records.slice(from, from + step));
    const body = (await nextCheckpoint(client, signer.name))!;
    await checkpoints.insert(client, body);
    await checkpoints.publish(client, body.size, signNote(body.body, [signer]));
    made.push(body);
  }
  return made;
}

describe('the sealed tree', () => {
  it('has the exact bytes of every record, and the root that follows from them', async () => {
    const tape = tapeOf(700);
    await seal(tape);
    const latest = (await checkpoints.latest())!;
    expect(latest.size).toBe(700n);
    const bundles = [0n, 1n, 2n].map((index) =>
      queries.bundle({ index, width: index === 2n ? 700 - 2 * TILE_WIDTH : TILE_WIDTH }),
    );
    const entries = (await Promise.all(bundles)).flatMap((bundle) => bundle!);
    expect(entries).toEqual(tape.records.map((r) => r.value));
    expect(latest.root).toEqual(rootOf(entries.map((bytes) => leafHash(bytes))));
    for (const tile of tilesOf(latest.size))
      expect((await queries.tile(tile))?.length).toBe(tile.width * HASH_BYTES);
    expect(await queries.tile({ level: 0, index: 2n, width: 189 })).toBeUndefined();
    expect(await queries.tile({ level: 1, index: 0n, width: 3 })).toBeUndefined();
    await checkTree(client);
  });

  it('proves every leaf under every checkpoint, and every checkpoint from every earlier one', async () => {
    const tape = tapeOf(530);
    const made = await seal(tape, 61);
    const hashes = hashesOf(tape);
    for (const { size, root } of made) {
      expect(root).toEqual(rootOf(hashes.slice(0, Number(size))));
      const read = queries.reader(size);
      for (let index = 0n; index < size; index++) {
        const proof = await inclusionProof(index, size, read);
        const leaf = hashes[Number(index)]!;
        if (!verifyInclusion({ leafHash: leaf, index, size, root, proof }))
          throw new Error(`leaf ${index} is not proved under ${size}`);
      }
    }
    for (const from of made)
      for (const to of made.filter((c) => c.size >= from.size)) {
        const proof = await consistencyProof(from.size, to.size, queries.reader(to.size));
        const claim = { from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root, proof };
        if (!verifyConsistency(claim)) throw new Error(`${from.size} to ${to.size} is not proved`);
      }
  });

  it('completes subtrees of 65,536 leaves', async () => {
    // Short records, many of them: what is counted here is the second level of tiles.
    const tape = new Tape();
    for (let i = 0; i < 65_600; i++) tape.put(Buffer.from(`${i}`));
    for (let from = 0; from < tape.records.length; from += 5_000)
      await posting.applyBatch(tape.records.slice(from, from + 5_000));
    const hashes = hashesOf(tape);
    expect(await queries.tile({ level: 2, index: 0n, width: 1 })).toEqual(
      rootOf(hashes.slice(0, 65_536)),
    );
    const read = queries.reader(65_600n);
    const root = rootOf(hashes);
    for (const index of [0n, 65_535n, 65_536n, 65_599n]) {
      const proof = await inclusionProof(index, 65_600n, read);
      const leaf = hashes[Number(index)]!;
      expect(verifyInclusion({ leafHash: leaf, index, size: 65_600n, root, proof })).toBe(true);
    }
    await checkTree(client);
  }, 120_000);

  it('has the same leaves in another order when it is read in another interleaving', async () => {
    const tapes = [new Tape(0), new Tape(1)];
    for (const tape of tapes)
      for (let i = 0; i < 150; i++) tape.open(`ingress-${tape.partition}`, newGenerationId());
    for (const tape of tapes) await posting.applyBatch(tape.records);
    const first = await everyEntry(300);
    const root = (await nextCheckpoint(client, signer.name))!.root;
    expect(root).toEqual(rootOf(first.map((bytes) => leafHash(bytes))));
    await closeAll();
    await openAll();
    for (let at = 0; at < 150; at += 40)
      await posting.applyBatch(tapes.toReversed().flatMap((t) => t.records.slice(at, at + 40)));
    const second = await everyEntry(300);
    expect(second.toSorted(Buffer.compare)).toEqual(first.toSorted(Buffer.compare));
    const other = (await nextCheckpoint(client, signer.name))!.root;
    expect(other).toEqual(rootOf(second.map((bytes) => leafHash(bytes))));
    expect(other).not.toEqual(root);
  });

  it('refuses a record that is longer than a leaf may be, and changes nothing', async () => {
    const tape = new Tape();
    tape.put(Buffer.alloc(65_535));
    tape.put(Buffer.alloc(65_536));
    await expect(posting.applyBatch(tape.records)).rejects.toMatchObject({
      code: 'entry_too_large',
      details: { leaf: '1', bytes: 65_536 },
    });
    await posting.applyBatch(tape.records.slice(0, 1));
    expect((await nextCheckpoint(client, signer.name))?.size).toBe(1n);
  });
});

describe('forks', () => {
  it('lets one of two sequencers have an effect', async () => {
    const tape = tapeOf(40);
    const second = await connect(database.appUrl);
    try {
      const other = new PostingTransaction(second, LOG, settleContext);
      const outcomes = await Promise.allSettled([
        posting.applyBatch(tape.records),
        other.applyBatch(tape.records),
      ]);
      expect(outcomes.some((o) => o.status === 'fulfilled' && o.value.records === 40)).toBe(true);
      expect((await nextCheckpoint(client, signer.name))?.root).toEqual(rootOf(hashesOf(tape)));
    } finally {
      await second.end();
    }
  });

  it('has one root for a size, for ever', async () => {
    const tape = tapeOf(10);
    const [made] = await seal(tape);
    await checkpoints.insert(client, made!);
    const root = Buffer.alloc(HASH_BYTES, 7);
    const forked = { size: 10n, root, body: `${signer.name}\n10\n${root.toString('base64')}\n` };
    await expect(checkpoints.insert(client, forked)).rejects.toMatchObject({
      code: 'checkpoint_forked',
    });
    expect((await checkpoints.at(10n))?.root).toEqual(made!.root);
  });

  it('tells a tree that is not the one that was committed to', async () => {
    const tape = tapeOf(300);
    await seal(tape);
    const changes = [
      `update ledger.leaf set leaf_hash = sha256('x') where leaf_index = 270`,
      `update ledger.node set hash = sha256('x')`,
      `delete from ledger.node`,
      `update ledger.tree_state set frontier[1] = sha256('x')`,
      `update ledger.tree_state set size = 299`,
    ];
    for (const change of changes) {
      // As somebody who can switch triggers off: prevention has an end, detection must not.
      const superuser = await connect(database.superuserUrl);
      try {
        await superuser.query(`begin; set local session_replication_role = replica; ${change}`);
        await expect(checkTree(superuser)).rejects.toMatchObject({ code: 'tree_mismatch' });
        await superuser.query('rollback');
      } finally {
        await superuser.end();
      }
    }
    await checkTree(client);
  });

  it('is refused another key or origin than it began with', async () => {
    const other = parseSignerKey(generateKey(signer.name).signerKey);
    await expect(
      claimLogIdentity(pool, {
        ledgerId: 'main',
        origin: other.name,
        verifierKey: other.verifierKey,
      }),
    ).rejects.toMatchObject({ code: 'log_identity_changed' });
    await expect(
      claimLogIdentity(pool, {
        ledgerId: 'bank',
        origin: signer.name,
        verifierKey: signer.verifierKey,
      }),
    ).rejects.toMatchObject({ code: 'log_identity_changed' });
    await claimLogIdentity(pool, {
      ledgerId: 'main',
      origin: signer.name,
      verifierKey: signer.verifierKey,
    });
  });
});

describe('what was signed', () => {
  it('carries its cosignatures, one of a name, in a stable order', async () => {
    await seal(tapeOf(5));
    const alone = (await checkpoints.latest())!.note;
    expect(await checkpoints.addCosignature(5n, 'b', '— b AAAAAAA=')).toBe(true);
    expect(await checkpoints.addCosignature(5n, 'a', '— a AAAAAAA=')).toBe(true);
    expect(await checkpoints.addCosignature(5n, 'b', '— b BBBBBBB=')).toBe(false);
    expect((await checkpoints.latest())?.note).toBe(`${alone}— a AAAAAAA=\n— b AAAAAAA=\n`);
  });

  it('shows only what is published, and keeps what waits for its signature', async () => {
    await posting.applyBatch(tapeOf(5).records);
    const body = (await nextCheckpoint(client, signer.name))!;
    await checkpoints.insert(client, body);
    expect(await checkpoints.latest()).toBeUndefined();
    expect(await checkpoints.publishedSize()).toBe(0n);
    expect(await nextCheckpoint(client, signer.name)).toBeUndefined();
    expect(await checkpoints.unpublished(client)).toEqual([body]);
  });

  it.each([
    'entry',
    'entry_from_0',
    'node',
    'log_identity',
    'checkpoint',
    'checkpoint_note',
    'cosignature',
    'time_stamp',
  ])('refuses to change or empty %s, even for the owner', async (table) => {
    await seal(tapeOf(300), 300);
    const { rows } = await client.query<{ c: string }>(
      `select attname as c from pg_attribute where attrelid = 'ledger.${table}'::regclass and attnum = 2`,
    );
    const column = rows[0]!.c;
    await expect(
      as(database.ownerUrl, `update ledger.${table} set ${column} = ${column}`),
    ).rejects.toThrow(/is refused/);
    await expect(as(database.ownerUrl, `delete from ledger.${table}`)).rejects.toThrow(
      /is refused/,
    );
    await expect(as(database.ownerUrl, `truncate ledger.${table} cascade`)).rejects.toThrow(
      /is refused/,
    );
    await expect(as(database.appUrl, `delete from ledger.${table}`)).rejects.toThrow(
      /permission denied/,
    );
  });

  it('refuses a smaller tree, even from the owner', async () => {
    await posting.applyBatch(tapeOf(5).records);
    await expect(as(database.ownerUrl, `update ledger.tree_state set size = 4`)).rejects.toThrow(
      /cannot go from 5 to 4/,
    );
  });
});

describe('leaves from before the tree', () => {
  /** The state that a data directory of the version before is in once the migrations have run. */
  const forget = (): Promise<void> =>
    as(
      database.superuserUrl,
      `set session_replication_role = replica`,
      `delete from ledger.entry`,
      `delete from ledger.node`,
      `update ledger.tree_state set frontier = '{}'`,
    );

  it('get their bytes from the log and their tree from their hashes, in any batches, begun twice', async () => {
    const tapes = [tapeOf(400), new Tape(1), new Tape(2)];
    for (let i = 0; i < 150; i++) tapes[1]!.open('ingress-2', newGenerationId());
    for (let i = 0; i < 33; i++) tapes[2]!.open('ingress-3', newGenerationId());
    const all = [];
    for (let at = 0; at < 400; at += 25) {
      const batch = tapes.flatMap((tape) => tape.records.slice(at, at + 25));
      all.push(...batch);
      await posting.applyBatch(batch);
    }
    const before = await client.query(`select size, frontier from ledger.tree_state`);
    const nodes = await client.query(`select * from ledger.node order by 1, 2`);
    await forget();
    await expect(posting.applyBatch(tapes[0]!.records)).resolves.toMatchObject({ records: 0 });
    const first = (await OlderLeaves.find(client, LOG))!;
    expect(first.size).toBe(583n);
    await first.take(tapes[0]!.records.slice(0, 100));
    expect(first.complete).toBe(false);
    await expect(first.seal(() => undefined)).rejects.toMatchObject({ code: 'entries_gone' });
    const older = (await OlderLeaves.find(client, LOG))!;
    for (const tape of tapes.toReversed())
      for (let at = 0; at < tape.records.length; at += 60)
        await older.take(tape.records.slice(at, at + 60));
    expect(older.complete).toBe(true);
    const said: bigint[] = [];
    await older.seal((leaves) => said.push(leaves));
    expect(said.at(-1)).toBe(583n);
    expect((await client.query(`select size, frontier from ledger.tree_state`)).rows).toEqual(
      before.rows,
    );
    expect((await client.query(`select * from ledger.node order by 1, 2`)).rows).toEqual(
      nodes.rows,
    );
    expect(await queries.entries(0n, 583)).toEqual(all.map((r) => r.value));
    expect(await OlderLeaves.find(client, LOG)).toBeUndefined();
    tapes[0]!.open('ingress-1', newGenerationId());
    await posting.applyBatch(tapes[0]!.records.slice(-1));
    await checkTree(client);
  });

  it('are not made up: bytes that are gone, altered or of another log stop it', async () => {
    const tape = tapeOf(20);
    await posting.applyBatch(tape.records);
    await forget();
    await expect(OlderLeaves.find(client, 'log-2')).rejects.toMatchObject({ code: 'entries_gone' });
    const older = (await OlderLeaves.find(client, LOG))!;
    expect(() => older.demand([])).toThrow(/ends before/);
    await expect(older.take(tape.records.slice(3))).rejects.toMatchObject({ code: 'entries_gone' });
    const altered = { ...tape.records[0]!, value: Buffer.from('other') };
    await expect(older.take([altered])).rejects.toMatchObject({ code: 'entries_gone' });
    await older.take(tape.records);
    await older.seal(() => undefined);
  });

  it('are not posted upon before that', async () => {
    const tape = tapeOf(21);
    await posting.applyBatch(tape.records.slice(0, 20));
    await forget();
    await expect(posting.applyBatch(tape.records.slice(20))).rejects.toMatchObject({
      code: 'tree_mismatch',
    });
  });
});

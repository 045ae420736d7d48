import { setImmediate as breathe } from 'node:timers/promises';
import type { ClientBase } from 'pg';
import type { LogRecord } from '#libs/audit-events';
import { BatchFold } from './batch-fold.js';
import { decodeRecord, type DecodedRecord } from './decode-records.js';
import { beyondFences, lockFences, moveFences, placeOf } from './fences.js';
import {
  loadBooks,
  loadGenerations,
  loadLeases,
  loadWriters,
  priceBooksOf,
  SELECT_GENERATION,
  workOf,
  type GenerationRow,
} from './load-batch.js';
import { lockTree, seal, treeOf } from './seal-leaves.js';
import type { SettleContext } from './settle-work.js';
import { StatementQueue } from './statement-queue.js';
import { writeBatch, type Learnt } from './write-batch.js';

/** Leaf partitions are made this many leaves ahead, so that no batch ever meets a missing one. */
const LEAVES_AHEAD = 1_000_000n;
/** Names of balances kept in memory, some 100 bytes each: a day of 25,000 keys. */
const KNOWN_BALANCES_MAX = 100_000;

export interface Applied {
  /** Records that were new behind the fence; the rest had been applied before. */
  readonly records: number;
  readonly leaves: bigint;
  readonly journals: number;
  /** `lastByteAt` of each generation settled here that has one, Unix ms: for the billing lag. */
  readonly lastByteAtMs: readonly number[];
  readonly quarantined: readonly { readonly code: string; readonly leafIndex: bigint }[];
}

/** What the posting transaction keeps in memory between batches: only facts that never change. */
export class PostingTransaction {
  readonly #known = { accounts: new Map<string, number>(), balances: new Set<string>() };
  #partitionedTo = 0n;

  constructor(
    private readonly client: ClientBase,
    private readonly logId: string,
    private readonly context: () => SettleContext,
  ) {}

  /**
   * Takes a batch of records into the books, once: leaves, trails, postings, holds and the fence change in one
   * transaction. What lies before the fence is dropped. Throws `log_gap` when records between fence and batch are
   * missing, `fence_moved` when another sequencer was faster; then nothing has changed. Records may be decoded already.
   */
  async applyBatch(records: readonly (LogRecord | DecodedRecord)[]): Promise<Applied> {
    const read = records.map((r) => ('read' in r ? r : decodeRecord(r)));
    return this.#inTransaction(async (queue, settling) => {
      const [sources, locked, generations, writers, leases, books] = await Promise.all([
        lockFences(queue, this.logId, read),
        lockTree(queue),
        loadGenerations(queue, read),
        loadWriters(queue, read),
        loadLeases(queue, read),
        loadBooks(queue, this.logId, read),
      ]);
      const { fresh, ends } = beyondFences(read, sources);
      if (fresh.length === 0) return NOTHING;
      const tree = treeOf(locked);
      await settling.loadPrices(priceBooksOf(fresh, generations.values()));
      const { size } = tree;
      await this.#ensurePartitions(queue, size + BigInt(fresh.length));
      // What needs no fold is on its way while the rest is folded.
      const sealed = Promise.all([seal(queue, tree, fresh), moveFences(queue, ends)]);
      // Listened to below; until then the fold may fail first.
      sealed.catch(() => undefined);
      await breathe();
      const batch = new BatchFold({ size, writers, generations, leases, books }, settling);
      for (const record of fresh)
        batch.take(sources.get(placeOf(record.topic, record.partition))!, record);
      const [learnt] = await Promise.all([writeBatch(queue, batch, this.#known), sealed]);
      return { ...summary(batch, fresh.length), learnt };
    });
  }

  /** Settles up to `max` generations whose price book was unknown when they closed. Returns how many there were. */
  async settleLate(priceBook: string, max: number): Promise<number> {
    const applied = await this.#inTransaction(async (queue, settling) => {
      const { rows } = await queue.query<GenerationRow>(
        `${SELECT_GENERATION} where id in (
           select u.id from ledger.unrated_generation u where u.price_book = $1 order by u.id limit $2) for update`,
        [priceBook, max],
      );
      await settling.loadPrices(new Set([priceBook]));
      const { size } = treeOf(await lockTree(queue));
      const batch = new BatchFold(
        {
          size,
          writers: new Map(),
          generations: new Map(),
          leases: new Map(),
          books: await loadBooks(queue, this.logId, []),
        },
        settling,
      );
      for (const row of rows) batch.settleLate(workOf(row));
      const learnt = await writeBatch(queue, batch, this.#known);
      await queue.query(
        `update ledger.quarantine set resolved_at = clock_timestamp()
         where code = 'price_book_unknown' and generation_id = any($1::text[]) and resolved_at is null`,
        [rows.filter((r) => batch.generations.get(r.id)?.settled !== undefined).map((r) => r.id)],
      );
      return { ...summary(batch, rows.length), learnt };
    });
    return applied.records;
  }

  async #inTransaction(
    work: (
      queue: StatementQueue,
      settling: SettleContext,
    ) => Promise<Applied & { readonly learnt: Learnt }>,
  ): Promise<Applied> {
    const queue = new StatementQueue(this.client);
    try {
      const [, { learnt, ...applied }] = await Promise.all([
        queue.query('begin'),
        work(queue, this.context()),
      ]);
      await queue.query('commit');
      this.#learn(learnt);
      return applied;
    } catch (error) {
      await queue.close(error);
      // A broken connection has rolled back already; its own error says more than the rollback's.
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  #learn({ accounts, balances }: Learnt): void {
    for (const [name, id] of accounts) this.#known.accounts.set(name, id);
    if (this.#known.balances.size > KNOWN_BALANCES_MAX) this.#known.balances.clear();
    for (const name of balances) this.#known.balances.add(name);
  }

  async #ensurePartitions(queue: StatementQueue, size: bigint): Promise<void> {
    if (size + LEAVES_AHEAD <= this.#partitionedTo) return;
    const { rows } = await queue.query<{ bound: string }>(
      'select ledger.ensure_leaf_partitions($1) as bound',
      [(size + 2n * LEAVES_AHEAD).toString()],
    );
    this.#partitionedTo = BigInt(rows[0]!.bound);
  }
}

const NOTHING: Applied & { readonly learnt: Learnt } = {
  records: 0,
  leaves: 0n,
  journals: 0,
  lastByteAtMs: [],
  quarantined: [],
  learnt: { accounts: new Map(), balances: [] },
};

function summary(batch: BatchFold, records: number): Applied {
  const lastByteAtMs: number[] = [];
  for (const journal of batch.journals) {
    if (journal.kind !== 'usage' || journal.generationId === undefined) continue;
    const at = batch.generations.get(journal.generationId)?.lastByteAt;
    if (at !== undefined && at !== null) lastByteAtMs.push(Date.parse(at));
  }
  return {
    records,
    leaves: batch.size,
    journals: batch.journals.length,
    lastByteAtMs,
    quarantined: batch.quarantine.map(({ code, leafIndex }) => ({ code, leafIndex })),
  };
}

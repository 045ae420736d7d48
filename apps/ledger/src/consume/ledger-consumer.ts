import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';
import type { AppendLog, ConsumeOptions, Position } from '#libs/audit-log';
import type { Clock } from '#libs/kernel';
import {
  PostingTransaction,
  PriceBooks,
  SweepQueries,
  type DecodedRecord,
  type SettleContext,
} from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerMetrics } from '../ledger.metrics.js';
import { BATCH_RECORDS_MAX, BatchSize } from './batch-size.js';
import { haltReason } from './halt-reason.js';
import { readOwnWords } from './own-words-first.js';
import { PostingLine } from './posting-line.js';
import { PricedBooks } from './priced-books.js';
import { SequencerLock } from './sequencer-lock.js';
import { keyOf, startPositions } from './start-positions.js';

/** Generations settled per transaction when a price book has come late. */
const LATE_BATCH = 500;
const STANDBY_MS = 1_000;
const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;

export interface LedgerConsumerOptions {
  /** The app's role. */
  readonly databaseUrl: string;
  readonly pool: Pool;
  readonly log: AppendLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: LedgerMetrics;
  /** Books to store at start: those of the catalog at hand. */
  readonly priceBooks: readonly { readonly bytes: Uint8Array }[];
  readonly stopsBillingOnCancel: (providerId: string) => boolean | undefined;
  /** Before the first record of a term: over the leader's connection. */
  readonly prepare: (client: ClientBase, signal: AbortSignal) => Promise<void>;
}

export type LedgerRole = 'starting' | 'standby' | 'leader' | 'halted' | 'stopped';

/**
 * Reads the log and keeps the books, alone: whoever has the sequencer's lock. On errors it goes back to the fence and
 * on; where the log has lost records it halts for good, because any way on would hide that.
 */
export class LedgerConsumer {
  readonly priceBooks: PriceBooks;
  readonly #books: PricedBooks;
  readonly #queries: SweepQueries;
  readonly #positions = new Map<string, bigint>();
  readonly #batchSize = new BatchSize();
  readonly #stopping = new AbortController();
  #role: LedgerRole = 'starting';
  #haltReason = '';
  #running: Promise<void> | undefined;
  #posting: PostingTransaction | undefined;
  #lock: SequencerLock | undefined;
  /** Posting transactions of this process go one after the other over the one connection. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: LedgerConsumerOptions) {
    this.priceBooks = new PriceBooks(options.pool);
    this.#books = new PricedBooks(this.priceBooks);
    this.#queries = new SweepQueries(options.pool);
  }

  get role(): LedgerRole {
    return this.#role;
  }

  /** Why it halted; empty otherwise. */
  get haltReason(): string {
    return this.#haltReason;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    if (this.#role !== 'halted') this.#role = 'stopped';
  }

  /** True once everything before these positions is in the books; false when that takes longer. */
  async caughtUp(ends: readonly Position[], withinMs: number): Promise<boolean> {
    const deadline = this.options.clock.monotonicMs() + withinMs;
    const behind = (p: Position): boolean => p.next > (this.#positions.get(keyOf(p)) ?? 0n);
    while (ends.some(behind)) {
      if (this.#role !== 'leader' || this.options.clock.monotonicMs() > deadline) return false;
      await sleep(20);
    }
    return true;
  }

  /** Records that are in the log and not in the books yet, by this process's knowledge. */
  async recordsBehind(): Promise<bigint> {
    const positions = await this.#queries.positions(this.options.log.id);
    const known = new Map(positions.map((p) => [keyOf(p), p.next]));
    let behind = 0n;
    for (const end of await this.options.log.endOffsets())
      behind += end.next - (known.get(keyOf(end)) ?? 0n);
    return behind;
  }

  /** Rates what waited for price books that are here now. Leader only; otherwise nothing. */
  async settleLate(): Promise<void> {
    for (const version of await this.priceBooks.owed())
      for (;;) {
        const posting = this.#posting;
        if (posting === undefined) return;
        const settled = await this.#alone(() => posting.settleLate(version, LATE_BATCH));
        if (settled < LATE_BATCH) break;
      }
  }

  /**
   * Runs between two batches over the connection that holds the lock; undefined while another process leads, or none.
   * An error that must halt the ledger does so, and is thrown.
   */
  async asLeader<T>(work: (client: ClientBase) => Promise<T>): Promise<T | undefined> {
    return this.#alone(async () => {
      const lock = this.#lock;
      if (lock === undefined || this.#haltReason !== '') return undefined;
      try {
        return await work(lock.client);
      } catch (error) {
        if (this.#halted(error)) await lock.release();
        throw error;
      }
    });
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.options;
    let backoffMs = BACKOFF_FIRST_MS;
    let booksStored = false;
    while (!this.#stopping.signal.aborted && this.#role !== 'halted') {
      const beganMs = clock.monotonicMs();
      try {
        if (!booksStored) {
          for (const { bytes } of this.options.priceBooks) await this.priceBooks.store(bytes);
          booksStored = true;
        }
        await this.#lead();
      } catch (error) {
        if (this.#halted(error)) return;
        if (this.#stopping.signal.aborted) return;
        logger.warn('ledger.interrupted', describeError(error));
        if (clock.monotonicMs() - beganMs > BACKOFF_MAX_MS) backoffMs = BACKOFF_FIRST_MS;
        await this.#pause(backoffMs);
        backoffMs = Math.min(BACKOFF_MAX_MS, backoffMs * 2);
      }
    }
  }

  /** Halts for good where the error says so. */
  #halted(error: unknown): boolean {
    const reason = haltReason(error);
    if (reason === undefined) return false;
    this.#haltReason = reason;
    this.#role = 'halted';
    this.options.logger.error('ledger.halted', { reason });
    return true;
  }

  /** One term as leader: until the lock is lost, the log cannot be read on, or the process stops. */
  async #lead(): Promise<void> {
    const { databaseUrl, log, logger } = this.options;
    const lock = await SequencerLock.tryTake(databaseUrl);
    if (lock === undefined) {
      if (this.#role !== 'standby') logger.info('ledger.standby');
      this.#role = 'standby';
      await this.#pause(STANDBY_MS);
      return;
    }
    try {
      const from = await startPositions(log, await this.#queries.positions(log.id));
      this.#positions.clear();
      for (const position of from) this.#positions.set(keyOf(position), position.next);
      await this.options.prepare(lock.client, AbortSignal.any([this.#stopping.signal, lock.lost]));
      this.#lock = lock;
      this.#posting = new PostingTransaction(lock.client, log.id, () => this.#settling());
      this.#role = 'leader';
      logger.info('ledger.leading', { log: log.id, partitions: from.length });
      await this.settleLate();
      await this.#follow(from, AbortSignal.any([this.#stopping.signal, lock.lost]));
      if (this.#haltReason !== '') return;
      if (!this.#stopping.signal.aborted) throw new Error('the sequencer’s connection was lost');
    } finally {
      this.#posting = undefined;
      this.#lock = undefined;
      await this.#turn.catch(() => undefined);
      if (this.#role === 'leader') this.#role = 'starting';
      await lock.release();
    }
  }

  async #follow(from: readonly Position[], signal: AbortSignal): Promise<void> {
    const { log } = this.options;
    const line = new PostingLine(
      () => this.#batchSize.records,
      (records) => this.#apply(records),
    );
    const options: ConsumeOptions = {
      from,
      maxRecords: BATCH_RECORDS_MAX,
      signal: AbortSignal.any([signal, line.failed]),
      onBatch: (records) => line.take(records),
    };
    try {
      const rest = await readOwnWords(log, options);
      if (!options.signal.aborted) await log.consume({ ...options, from: rest });
    } finally {
      await line.posted;
    }
  }

  async #apply(records: readonly DecodedRecord[]): Promise<void> {
    const posting = this.#posting;
    if (posting === undefined) throw new Error('not the leader');
    const { clock, metrics, logger } = this.options;
    const beganMs = clock.monotonicMs();
    const applied = await this.#alone(() => posting.applyBatch(records));
    for (const r of records) this.#positions.set(keyOf(r), r.offset + 1n);
    const tookMs = clock.monotonicMs() - beganMs;
    this.#batchSize.took(records.length, tookMs);
    metrics.applied(applied, tookMs, clock.nowMs());
    for (const { code, leafIndex } of applied.quarantined)
      logger.error('ledger.quarantined', { code, leaf: leafIndex.toString() });
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.catch(() => undefined).then(work);
    this.#turn = turn;
    return turn;
  }

  #settling(): SettleContext {
    return {
      loadPrices: (versions) => this.#books.load(versions),
      pricesOf: (version) => this.#books.pricesOf(version),
      stopsBillingOnCancel: this.options.stopsBillingOnCancel,
      nowMs: this.options.clock.nowMs(),
    };
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

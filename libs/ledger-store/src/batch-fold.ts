import { isAbroad, isStranger, type CustosEvent } from '#libs/audit-events';
import {
  bookDue,
  bookLeaf,
  isGenerationEvent,
  unseen,
  type Booking,
  type GenerationEvent,
  type Leaf,
} from '#libs/ledger';
import { BooksWork, type LoadedBooks } from './books-work.js';
import type { DecodedRecord } from './decode-records.js';
import type { QuarantineCode } from './errors.js';
import { LimitsWork } from './limits-work.js';
import { RetentionWork } from './retention-work.js';
import { GivenUpWork } from './signed-heads.js';
import type {
  GenerationWork,
  JournalRow,
  LeafRow,
  LeaseRow,
  QuarantineRow,
  Source,
  WriterRow,
} from './rows.js';
import { noteBooking, type SettleContext } from './settle-work.js';
import { WritersWork } from './writers-work.js';

/** What is known before the batch, loaded in a handful of queries. */
export interface Loaded {
  readonly size: bigint;
  readonly writers: ReadonlyMap<string, WriterRow>;
  readonly generations: ReadonlyMap<string, GenerationWork>;
  readonly leases: ReadonlyMap<string, LeaseRow>;
  readonly books: LoadedBooks;
}

/**
 * One batch in memory: takes records in log order and gathers every row that they change, so that the database is
 * written in a handful of statements. No I/O here; what comes out depends on the rows loaded and the records alone.
 */
export class BatchFold {
  readonly leaves: LeafRow[] = [];
  readonly journals: JournalRow[] = [];
  readonly quarantine: QuarantineRow[] = [];
  readonly generations: Map<string, GenerationWork>;
  readonly limits: LimitsWork;
  readonly books: BooksWork;
  readonly retention = new RetentionWork();
  readonly givenUp = new GivenUpWork();
  /** Generations that this batch changed, in order of first change. */
  readonly changed = new Set<string>();
  readonly #writers: WritersWork;
  #next: bigint;

  constructor(
    loaded: Loaded,
    private readonly context: SettleContext,
  ) {
    this.#next = loaded.size;
    this.generations = new Map(loaded.generations);
    this.limits = new LimitsWork(loaded.leases);
    this.#writers = new WritersWork(loaded.writers, this.limits, (index, code, detail) =>
      this.#setAside(index, code, null, detail),
    );
    this.books = new BooksWork(this.generations, loaded.books);
  }

  get writers(): ReadonlyMap<string, WriterRow> {
    return this.#writers.rows;
  }

  /** Leaves in the tree after this batch. */
  get size(): bigint {
    return this.#next;
  }

  take(source: Source, record: DecodedRecord): void {
    const index = this.#next++;
    const recordedAt = new Date(record.recordedAtMs).toISOString();
    const { read } = record;
    const envelope = read.ok ? read.event : read.envelope;
    const strange = read.ok && isStranger(read.event, source.topic);
    // Somebody else's record under a writer's name must not move that writer's chain.
    const follows =
      envelope !== undefined &&
      !isAbroad(envelope.writer, source.topic) &&
      (!strange || this.#writers.isAtHome(envelope.writer, source));
    const refused =
      follows && this.#writers.follow(envelope, source, index, record.sha256, recordedAt);
    const effect =
      refused ||
      (read.ok
        ? strange
          ? this.#setAside(index, 'stranger', null, `${read.event.type} in ${source.topic}`)
          : this.#effectOf(read.event, source, index, record.offset)
        : this.#setAside(index, 'unreadable', null, read.fault));
    this.leaves.push({
      index,
      sourceId: source.id,
      offset: record.offset,
      type: envelope?.type ?? null,
      generationId:
        read.ok && !strange && isGenerationEvent(read.event) ? read.event.data.generationId : null,
      hash: record.leafHash,
      recordedAt,
      effect,
    });
  }

  #setAside(
    leafIndex: bigint,
    code: QuarantineCode,
    generationId: string | null,
    detail: string,
  ): 'quarantined' {
    this.quarantine.push({ leafIndex, code, generationId, detail });
    return 'quarantined';
  }

  #effectOf(event: CustosEvent, source: Source, index: bigint, offset: bigint): string {
    const { topic, partition } = source;
    const place = { logId: this.books.logId, topic, partition, offset };
    if (isGenerationEvent(event)) return this.#foldGeneration({ index, event, place }, event);
    const kept =
      this.retention.take(event, index) ??
      this.givenUp.take(event, index) ??
      this.books.refunds.take(event, index);
    if (kept === 'unusable')
      return this.#setAside(index, 'bad_usage', null, 'a refund that nobody may ask for');
    if (kept !== undefined) return kept;
    const booking = bookLeaf({ index, event, place }, this.books, this.context);
    this.books.note(index, booking);
    const { credit, refund, invoice } = booking;
    const journal = credit?.journal ?? refund?.journal ?? invoice?.journal;
    if (journal !== undefined) this.journals.push(journal);
    if (booking.effect === 'unusable')
      return this.#setAside(index, 'bad_usage', null, 'an amount that cannot be posted');
    return booking.effect === 'noted' ? this.#writers.take(event, index) : booking.effect;
  }

  #foldGeneration(sealed: Leaf, event: GenerationEvent): string {
    const { generationId } = event.data;
    let work = this.generations.get(generationId);
    if (work === undefined) {
      work = emptyWork(generationId);
      this.generations.set(generationId, work);
    }
    const booking = bookLeaf(sealed, this.books, this.context);
    const { effect } = booking;
    const { opening } = booking.generation ?? work.state;
    if (effect === 'opened' && opening !== undefined) this.limits.place(generationId, opening);
    this.#note(work, booking);
    work.leaves.push(sealed.index.toString());
    this.changed.add(generationId);
    this.#keep(work, event, sealed.index);
    return effect;
  }

  #keep(work: GenerationWork, event: GenerationEvent, index: bigint): void {
    switch (event.type) {
      case 'custos.generation.opened.v1':
        work.opened ??= event.data;
        break;
      case 'custos.generation.refused.v1':
        work.refused ??= event.data;
        break;
      case 'custos.generation.closed.v1':
        if (work.state.close?.eventId === event.id) {
          work.closedAt = event.data.at;
          work.lastByteAt = event.data.lastByteAt ?? null;
        }
        break;
      case 'custos.ledger.cost_differed.v1':
        this.books.said(event.data, index);
        break;
      default:
        break;
    }
  }

  /** Brings the books in line with the close in force. Also for generations whose price book has come at last. */
  settleLate(work: GenerationWork): void {
    this.generations.set(work.state.id, work);
    this.changed.add(work.state.id);
    this.#note(work, bookDue(work.state, this.context));
  }

  #note(work: GenerationWork, booking: Pick<Booking, 'generation' | 'settled' | 'awaits'>): void {
    const { journals, problem } = noteBooking(work, booking, this.context.nowMs);
    if (problem !== undefined) this.quarantine.push(problem);
    this.journals.push(...journals);
    this.books.owe(work.state.id, booking.settled);
    const { opening } = work.state;
    const { settled } = booking;
    if (settled !== undefined && opening !== undefined)
      this.limits.settle(opening, settled.first, work.state.id, settled.deltaPicoUsd);
  }
}

const emptyWork = (id: string): GenerationWork => ({
  state: unseen(id),
  settled: undefined,
  opened: undefined,
  refused: undefined,
  leaves: [],
  closedAt: null,
  lastByteAt: null,
});

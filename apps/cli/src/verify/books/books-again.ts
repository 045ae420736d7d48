import {
  decodeEvent,
  isStranger,
  type DecodeResult,
  type InvoiceIssued,
  type RefundGranted,
} from '#libs/audit-events';
import {
  bookLeaf,
  isGenerationEvent,
  purchaseOf,
  type BooksSoFar,
  type ClosedPeriod,
  type GenerationEvent,
  type GenerationState,
  type Journal,
} from '#libs/ledger';
import type { JournalContext } from './invoice-check.js';
import { asCreditEvent, type CreditEvent } from './refund-check.js';
import type { PriceBookShelf } from './price-books.js';
import { SettledIndex } from './settled-index.js';

/** Reads one proved entry again. */
export type EntryReader = (leaf: number) => Promise<Buffer | undefined>;

/** What one leaf causes. */
export interface Caused {
  readonly journals: readonly Journal[];
  /** What each of the journals is about; absent for those that are about no generation. */
  readonly contextOf?: (journal: Journal) => JournalContext;
  readonly invoice?: {
    readonly said: InvoiceIssued;
    /** False for one that has no effect: a second one of its month, or one that nothing can be posted for. */
    readonly taken: boolean;
  };
  /** A purchase or a refund that the books took, or what was asked for. */
  readonly credit?: CreditEvent;
}

const NOTHING: Caused = { journals: [] };

interface Standing {
  state: GenerationState;
  openedLeaf: number;
  /** Leaves that closed or corrected it: its journals name one of these. */
  causes: readonly number[];
}

/**
 * The books made again from leaves in their order, by the ledger's own pure rules. What is settled for good is kept as
 * two leaf numbers and read again in the rare case that it is corrected, so that memory follows what is in flight.
 */
export class BooksAgain implements BooksSoFar {
  readonly closedPeriods: ClosedPeriod[] = [];
  readonly #credits = new Set<string>();
  readonly #refunds = new Set<string>();
  readonly #refunded = new Set<string>();
  readonly #invoices = new Set<string>();
  readonly #standing = new Map<string, Standing>();
  readonly #settled = new SettledIndex();
  /** Highest number of each writer: a record said again is a leaf with no effect. */
  readonly #said = new Map<string, number>();
  readonly #awaiting = new Set<string>();

  constructor(
    private readonly shelf: PriceBookShelf,
    private readonly readAgain: EntryReader,
  ) {}

  generation(id: string): GenerationState | undefined {
    return this.#standing.get(id)?.state;
  }

  hasCredit(id: string): boolean {
    return this.#credits.has(id);
  }

  hasRefund(refundId: string): boolean {
    return this.#refunds.has(refundId);
  }

  hasRefundOf(creditId: string): boolean {
    return this.#refunded.has(creditId);
  }

  hasInvoice(key: string): boolean {
    return this.#invoices.has(key);
  }

  /** Generations seen, settled or not. */
  get generations(): number {
    return this.#standing.size + this.#settled.size;
  }

  /** Closed or corrected here, and opened or closed where we have no entries. */
  lacksBeginning(generationId: string): boolean {
    const state = this.#standing.get(generationId)?.state;
    return state !== undefined && (state.opening === undefined || state.close === undefined);
  }

  /** Whether this leaf closed or corrected the generation: no other can cause a journal of it. */
  isCause(generationId: string, leaf: number): boolean {
    const settled = this.#settled.get(generationId);
    if (settled) return settled.closedLeaf === leaf;
    return this.#standing.get(generationId)?.causes.includes(leaf) ?? false;
  }

  /** Its amounts cannot be worked out: the price book is not here. */
  awaitsPrices(generationId: string): boolean {
    return this.#awaiting.has(generationId);
  }

  /** What this leaf causes. */
  async take(leaf: number, bytes: Buffer): Promise<Caused> {
    const read = decodeEvent(bytes);
    // Sealed, and without effect: not its writer's to say. In which topic it stood the bytes do not tell.
    if (read.ok && isStranger(read.event)) return NOTHING;
    if (this.#isRepeat(read) || !read.ok) return NOTHING;
    const { event } = read;
    if (isGenerationEvent(event)) {
      const { generationId } = event.data;
      if (this.#settled.has(generationId)) {
        if (!changesBooks(event) || event.type === 'custos.generation.opened.v1') return NOTHING;
        await this.#recall(generationId);
      }
      return this.#bookGeneration(leaf, event);
    }
    const leafOfBooks = { index: BigInt(leaf), event };
    const booking = bookLeaf(leafOfBooks, this, this.#terms);
    const { credit, refund, closedPeriod, invoice } = booking;
    if (closedPeriod) this.closedPeriods.push(closedPeriod);
    if (credit) this.#credits.add(credit.id);
    if (refund) this.#refund(refund.said);
    if (invoice) this.#invoices.add(invoice.key);
    const ofCredit = asCreditEvent(event, booking.effect);
    return {
      journals: [credit?.journal, refund?.journal, invoice?.journal].filter((j) => j !== undefined),
      ...(event.type === 'custos.ledger.invoice_issued.v1' && {
        invoice: { said: event.data, taken: invoice !== undefined },
      }),
      ...(ofCredit !== undefined && { credit: ofCredit }),
    };
  }

  #refund({ refundId, of }: RefundGranted): void {
    this.#refunds.add(refundId);
    const creditId = purchaseOf(of);
    if (creditId !== undefined) this.#refunded.add(creditId);
  }

  async #bookGeneration(leaf: number, event: GenerationEvent): Promise<Caused> {
    const { generationId } = event.data;
    const known = this.#standing.get(generationId);
    const version =
      event.type === 'custos.generation.opened.v1'
        ? event.data.versions.priceBook
        : known?.state.opening?.priceBook;
    if (version !== undefined && changesBooks(event)) await this.shelf.load(version);
    const booking = bookLeaf({ index: BigInt(leaf), event }, this, this.#terms);
    const state = booking.generation ?? known?.state;
    if (state === undefined) return NOTHING;
    const openedLeaf = booking.effect === 'opened' ? leaf : (known?.openedLeaf ?? leaf);
    const isCause = booking.effect === 'closed' || booking.effect === 'corrected';
    const causes = [...(known?.causes ?? []), ...(isCause ? [leaf] : [])];
    if (booking.awaits !== undefined) this.#awaiting.add(generationId);
    if (isDone(state)) {
      this.#settled.set(generationId, openedLeaf, Number(state.close?.leafIndex ?? openedLeaf));
      this.#standing.delete(generationId);
    } else this.#standing.set(generationId, { state, openedLeaf, causes });
    const { settled } = booking;
    if (settled === undefined) return NOTHING;
    return {
      journals: settled.journals,
      contextOf: ({ id }) => ({ generation: state, attempts: settled.ratings.get(id) ?? [] }),
    };
  }

  /** Mirrors what the ledger takes for said before: any number that is not beyond the writer's highest. */
  #isRepeat(read: DecodeResult): boolean {
    const said = read.ok ? read.event : read.envelope;
    if (said === undefined) return false;
    if ((this.#said.get(said.writer) ?? -1) >= said.wseq) return true;
    this.#said.set(said.writer, said.wseq);
    return false;
  }

  async #recall(generationId: string): Promise<void> {
    const place = this.#settled.get(generationId);
    if (place === undefined) return;
    this.#settled.delete(generationId);
    const leaves = [place.openedLeaf, place.closedLeaf].sort((a, b) => a - b);
    for (const leaf of new Set(leaves)) {
      const bytes = await this.readAgain(leaf);
      const read = bytes && decodeEvent(bytes);
      if (!read?.ok || !isGenerationEvent(read.event)) continue;
      const { event } = read;
      const version = event.type === 'custos.generation.opened.v1' && event.data.versions.priceBook;
      if (version) await this.shelf.load(version);
      const { generation: state } = bookLeaf({ index: BigInt(leaf), event }, this, this.#terms);
      const { openedLeaf, closedLeaf } = place;
      if (state) this.#standing.set(generationId, { state, openedLeaf, causes: [closedLeaf] });
    }
  }

  get #terms() {
    return { pricesOf: this.shelf.pricesOf };
  }
}

/** Only these move money; of the others the books remember nothing. */
const changesBooks = ({ type }: GenerationEvent): boolean =>
  type === 'custos.generation.opened.v1' ||
  type === 'custos.generation.closed.v1' ||
  type === 'custos.ledger.correction.v1';

/**
 * Refused, or settled by its writer's own close and never corrected: two leaves say all of it, should a correction come.
 * The sweeper's close often is corrected.
 */
const isDone = ({ status, opening, close, correction, booked }: GenerationState): boolean =>
  status === 'refused' ||
  (opening !== undefined &&
    close !== undefined &&
    correction === undefined &&
    close.status !== 'recovered' &&
    booked?.byEventId === close.eventId);

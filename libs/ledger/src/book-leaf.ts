import type { CustosEvent } from '#libs/audit-events';
import { bookInvoice, type BookedInvoice } from './book-invoice.js';
import { journalOfCredit, reversalOf, type Journal, type Posting } from './journal.js';
import {
  factsInForce,
  fold,
  isGenerationEvent,
  owesSettlement,
  unseen,
  type Effect,
  type GenerationState,
} from './life-cycle.js';
import { monthOf, openFrom, postingPeriod, type ClosedPeriod, type LogPlace } from './period.js';
import { settle, type Prices, type Settlement } from './settle.js';

/** One leaf of the tree as the books see it. A record said again (same writer and wseq) must not be given here. */
export interface Leaf {
  readonly index: bigint;
  readonly event: CustosEvent;
  /** Where the log has it. A reader that has only the leaves, in their order, needs none. */
  readonly place?: LogPlace;
}

/** What the leaves before have made of the books, as far as one leaf needs it. */
export interface BooksSoFar {
  generation(id: string): GenerationState | undefined;
  /** Credit that has been posted. */
  hasCredit(id: string): boolean;
  /** The invoice of an organisation for a month, by `invoiceKey`. */
  hasInvoice(key: string): boolean;
  /** Months closed so far, ascending. */
  readonly closedPeriods: readonly ClosedPeriod[];
}

/** What amounts follow from, besides the records. */
export interface Terms {
  /** The price book of that version, or undefined where it is not known (yet). */
  readonly pricesOf: (version: string) => Prices | undefined;
  /** A fact of the catalog that sets a flag and no amount; a verifier may leave it out. */
  readonly stopsBillingOnCancel?: (providerId: string) => boolean | undefined;
}

/** One leaf's effect on the books. The caller keeps what is given here, and nothing else is to be kept. */
export interface Booking {
  readonly effect: Effect | 'noted' | 'credited' | 'period_closed' | 'invoiced' | 'unusable';
  /** The generation as it stands now; absent where the leaf is about none. */
  readonly generation?: GenerationState;
  /** Present where the leaf settled a generation. */
  readonly settled?: Settled;
  /** The price book that the generation waits for: `bookDue` settles it once it is there. */
  readonly awaits?: string;
  /** Credit that the leaf posted. */
  readonly credit?: {
    readonly id: string;
    readonly organisationId: string;
    readonly amountPicoUsd: bigint;
    readonly feePicoUsd: bigint;
    readonly journal: Journal;
  };
  readonly closedPeriod?: ClosedPeriod;
  readonly invoice?: BookedInvoice;
}

export interface Settled {
  readonly settlement: Settlement;
  /** The reversal first; none where nothing is to be charged and nothing was. */
  readonly journals: readonly Journal[];
  /** False where an earlier settlement was replaced. */
  readonly first: boolean;
  /** Change of what the customer has been charged. */
  readonly deltaPicoUsd: bigint;
  /** Event id of the fact that it follows from: the later one of close and correction. */
  readonly causeEventId: string;
  /** Counts that are no counts: nothing was charged, and why. */
  readonly problem?: string;
}

/**
 * Everything that decides a journal: takes one leaf into the books. Pure; the same leaves in the same order give the
 * same journals on any machine, whether the ledger posts them or a verifier recomputes them.
 */
export function bookLeaf(leaf: Leaf, books: BooksSoFar, terms: Terms): Booking {
  const { event, index } = leaf;
  const open = (): string => openFrom(event.time, books.closedPeriods, leaf.place);
  if (isGenerationEvent(event)) {
    const { generationId } = event.data;
    const before = books.generation(generationId) ?? unseen(generationId);
    // Only of a fact that can settle it matters when it was said.
    const settles =
      event.type === 'custos.generation.closed.v1' || event.type === 'custos.ledger.correction.v1';
    const { state, effect } = fold(before, event, index, settles ? open() : undefined);
    return { effect, generation: state, ...bookDue(state, terms) };
  }
  switch (event.type) {
    case 'custos.ledger.credit.v1':
      return bookCredit(event, index, open(), books);
    case 'custos.ledger.invoice_issued.v1':
      return bookInvoice(event.data, index, books);
    case 'custos.ledger.period_closed.v1': {
      const { period, logId, through } = event.data;
      return books.closedPeriods.some((p) => p.period >= period)
        ? { effect: 'repeated' }
        : { effect: 'period_closed', closedPeriod: { period, logId, through } };
    }
    default:
      return { effect: 'noted' };
  }
}

function bookCredit(
  { data, id }: Extract<CustosEvent, { type: 'custos.ledger.credit.v1' }>,
  index: bigint,
  openFromMonth: string,
  books: BooksSoFar,
): Booking {
  if (books.hasCredit(data.creditId)) return { effect: 'repeated' };
  let postings: readonly Posting[];
  try {
    postings = journalOfCredit(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { effect: 'unusable' };
  }
  if (postings.length === 0) return { effect: 'unusable' };
  const journal: Journal = {
    id: index * 2n,
    leafIndex: index,
    kind: 'credit',
    effectiveAt: data.at,
    period: postingPeriod(data.at, openFromMonth),
    author: data.author,
    reason: data.reference ?? id,
    postings,
  };
  return {
    effect: 'credited',
    credit: {
      id: data.creditId,
      organisationId: data.organisationId,
      amountPicoUsd: BigInt(data.amountPicoUsd),
      feePicoUsd: BigInt(data.feePicoUsd),
      journal,
    },
  };
}

/**
 * Settles a generation whose books do not follow the facts in force yet: reversal of what stands there, then the new
 * journal. Called by `bookLeaf`, and for generations whose price book has come at last.
 */
export function bookDue(
  state: GenerationState,
  terms: Terms,
): Pick<Booking, 'generation' | 'settled' | 'awaits'> {
  const { opening, close, correction, booked } = state;
  if (opening === undefined || close === undefined || !owesSettlement(state)) return {};
  const prices = terms.pricesOf(opening.priceBook);
  if (prices === undefined) return { awaits: opening.priceBook };
  const { settlement, problem } = settleOrNot(state, prices, terms);
  // Each fact is the later one of its pair only once: so its leaf posts once and takes back once.
  const cause =
    correction !== undefined && BigInt(correction.leafIndex) > BigInt(close.leafIndex)
      ? correction
      : close;
  const leafIndex = BigInt(cause.leafIndex);
  const effectiveAt = effectiveAtOf(state);
  const head = {
    leafIndex,
    generationId: state.id,
    priceBook: opening.priceBook,
    effectiveAt,
    period: postingPeriod(effectiveAt, cause.openFrom ?? monthOf(effectiveAt)),
    ...(correction !== undefined && { author: correction.author, reason: correction.reason }),
  };
  const journals: Journal[] = [];
  if (booked?.journalId !== undefined)
    journals.push({
      ...head,
      id: leafIndex * 2n + 1n,
      kind: 'reversal',
      reverses: BigInt(booked.journalId),
      postings: reversalOf(booked.postings),
    });
  const posts = settlement.postings.length > 0;
  if (posts)
    journals.push({
      ...head,
      id: leafIndex * 2n,
      kind: correction === undefined ? 'usage' : 'correction',
      postings: settlement.postings,
    });
  return {
    generation: {
      ...state,
      booked: {
        byEventId: factsInForce(state) ?? '',
        ...(posts && { journalId: (leafIndex * 2n).toString() }),
        postings: settlement.postings,
        customerPicoUsd: settlement.customerPicoUsd,
      },
    },
    settled: {
      settlement,
      journals,
      first: booked === undefined,
      deltaPicoUsd: BigInt(settlement.customerPicoUsd) - BigInt(booked?.customerPicoUsd ?? '0'),
      causeEventId: cause.eventId,
      ...(problem !== undefined && { problem }),
    },
  };
}

/** When the usage happened: at the generation's end; where nobody saw that, when it was received. */
function effectiveAtOf({ opening, close }: GenerationState): string {
  const endedAt = close?.at ?? '';
  return close?.status === 'recovered' ? (opening?.receivedAt ?? endedAt) : endedAt;
}

function settleOrNot(
  state: GenerationState,
  prices: Prices,
  terms: Terms,
): { readonly settlement: Settlement; readonly problem?: string } {
  try {
    return { settlement: settle(state, prices, terms.stopsBillingOnCancel) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { settlement: uncharged(state.opening?.priceBook ?? ''), problem: error.message };
  }
}

const uncharged = (priceBook: string): Settlement => ({
  priceBook,
  customerPicoUsd: '0',
  attempts: [],
  flags: ['usage_unknown'],
  postings: [],
  costDifferences: [],
});

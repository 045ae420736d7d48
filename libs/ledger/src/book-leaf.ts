import type { CustosEvent } from '#libs/audit-events';
import { reversalOf, type Journal, type Posting } from './journal.js';
import {
  fold,
  isGenerationEvent,
  owesSettlement,
  unseen,
  type Effect,
  type GenerationState,
} from './life-cycle.js';
import { settle, type Prices, type Settlement } from './settle.js';

/** One leaf of the tree as the books see it. A record said again (same writer and wseq) must not be given here. */
export interface Leaf {
  readonly index: bigint;
  readonly event: CustosEvent;
}

/** What the leaves before have made of the books, as far as one leaf needs it. */
export interface BooksSoFar {
  generation(id: string): GenerationState | undefined;
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
  readonly effect: Effect | 'noted';
  /** The generation as it stands now; absent where the leaf is about none. */
  readonly generation?: GenerationState;
  /** Present where the leaf settled a generation. */
  readonly settled?: Settled;
  /** The price book that the generation waits for: `bookDue` settles it once it is there. */
  readonly awaits?: string;
}

export interface Settled {
  readonly settlement: Settlement;
  /** The reversal first; none where nothing is to be charged and nothing was. */
  readonly journals: readonly Journal[];
  /** False where an earlier settlement was replaced. */
  readonly first: boolean;
  /** Change of what the customer has been charged. */
  readonly deltaPicoUsd: bigint;
  /** Counts that are no counts: nothing was charged, and why. */
  readonly problem?: string;
}

/**
 * Everything that decides a journal: takes one leaf into the books. Pure; the same leaves in the same order give the
 * same journals on any machine, whether the ledger posts them or a verifier recomputes them.
 */
export function bookLeaf(leaf: Leaf, books: BooksSoFar, terms: Terms): Booking {
  const { event, index } = leaf;
  if (!isGenerationEvent(event)) return { effect: 'noted' };
  const { generationId } = event.data;
  const { state, effect } = fold(
    books.generation(generationId) ?? unseen(generationId),
    event,
    index,
  );
  return { effect, generation: state, ...bookDue(state, terms) };
}

/**
 * Settles a generation whose books do not follow the close in force yet: reversal of what stands there, then the new
 * journal. Called by `bookLeaf`, and for generations whose price book has come at last.
 */
export function bookDue(
  state: GenerationState,
  terms: Terms,
): Pick<Booking, 'generation' | 'settled' | 'awaits'> {
  const { opening, close, booked } = state;
  if (opening === undefined || close === undefined || !owesSettlement(state)) return {};
  const prices = terms.pricesOf(opening.priceBook);
  if (prices === undefined) return { awaits: opening.priceBook };
  const { settlement, problem } = settleOrNot(state, prices, terms);
  const leafIndex = BigInt(close.leafIndex);
  const head = {
    leafIndex,
    generationId: state.id,
    priceBook: opening.priceBook,
    effectiveAt: close.at,
  };
  const journals: Journal[] = [];
  // The id follows from the leaf: one leaf can post once and take back once, whatever is redelivered.
  if (booked?.journalId !== undefined)
    journals.push({
      ...head,
      id: leafIndex * 2n + 1n,
      kind: 'reversal',
      reverses: BigInt(booked.journalId),
      postings: reversalOf(booked.postings),
    });
  if (settlement.postings.length > 0)
    journals.push({ ...head, id: leafIndex * 2n, kind: 'usage', postings: settlement.postings });
  return {
    generation: {
      ...state,
      booked: {
        byEventId: close.eventId,
        ...(settlement.postings.length > 0 && { journalId: (leafIndex * 2n).toString() }),
        postings: settlement.postings,
        customerPicoUsd: settlement.customerPicoUsd,
      },
    },
    settled: {
      settlement,
      journals,
      first: booked === undefined,
      deltaPicoUsd: BigInt(settlement.customerPicoUsd) - BigInt(booked?.customerPicoUsd ?? '0'),
      ...(problem !== undefined && { problem }),
    },
  };
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

const NO_POSTINGS: readonly Posting[] = [];

const uncharged = (priceBook: string): Settlement => ({
  priceBook,
  customerPicoUsd: '0',
  attempts: [],
  flags: ['usage_unknown'],
  postings: NO_POSTINGS,
});

import { reversalOf, type Journal } from './journal.js';
import {
  factsInForce,
  owesSettlement,
  type Close,
  type Correction,
  type GenerationState,
} from './life-cycle.js';
import { monthOf, postingPeriod } from './period.js';
import { settle, type Prices, type Settlement } from './settle.js';

/** What amounts follow from, besides the records. */
export interface Terms {
  /** The price book of that version, or undefined where it is not known (yet). */
  readonly pricesOf: (version: string) => Prices | undefined;
  /** A fact of the catalog that sets a flag and no amount; a verifier may leave it out. */
  readonly stopsBillingOnCancel?: (providerId: string) => boolean | undefined;
}

export interface Settled {
  readonly settlement: Settlement;
  /** The reversal first; none where nothing is to be charged and nothing was. */
  readonly journals: readonly Journal[];
  /** False where an earlier settlement was replaced. */
  readonly first: boolean;
  /** How each of the journals was rated, by id; reversals are rated as what they take back. */
  readonly ratings: ReadonlyMap<bigint, Settlement['attempts']>;
  /** Change of what the customer has been charged. */
  readonly deltaPicoUsd: bigint;
  /** Event id of the fact that it follows from: the later one of close and correction. */
  readonly causeEventId: string;
  /** Counts that are no counts: nothing was charged, and why. */
  readonly problem?: string;
}

/** What came of a generation that was due; nothing where it was not. */
export interface Due {
  readonly generation?: GenerationState;
  /** Present where it was settled. */
  readonly settled?: Settled;
  /** The price book that it waits for. */
  readonly awaits?: string;
}

/**
 * Settles a generation whose books do not follow the facts in force yet: reversal of what stands there, then the new
 * journal. Called by `bookLeaf`, and for generations whose price book has come at last. Corrections that were read before
 * anything could be booked are posted after the close, one by one and each in its own month: as if they had come then.
 */
export function bookDue(state: GenerationState, terms: Terms): Due {
  const { opening, close, booked } = state;
  if (opening === undefined || close === undefined || !owesSettlement(state)) return {};
  const prices = terms.pricesOf(opening.priceBook);
  if (prices === undefined) return { awaits: opening.priceBook };
  const journals: Journal[] = [];
  const ratings = new Map<bigint, Settlement['attempts']>();
  let now = state;
  let last: Turn | undefined;
  let problem: string | undefined;
  for (const turn of turnsOf(state)) {
    last = bookTurn({ ...turn, ...(now.booked && { booked: now.booked }) }, prices, terms);
    now = last.generation;
    problem ??= last.problem;
    journals.push(...last.journals);
    for (const journal of last.journals)
      if (journal.kind !== 'reversal') ratings.set(journal.id, last.settlement.attempts);
  }
  if (last === undefined) return {};
  const { settlement, causeEventId } = last;
  return {
    generation: now,
    settled: {
      settlement,
      journals,
      ratings,
      first: booked === undefined,
      deltaPicoUsd: BigInt(settlement.customerPicoUsd) - BigInt(booked?.customerPicoUsd ?? '0'),
      causeEventId,
      ...(problem !== undefined && { problem }),
    },
  };
}

/** The states that are to be booked one after the other; the last one is that of the facts in force. */
function turnsOf(state: GenerationState): readonly GenerationState[] {
  const { correction, overtaken = [], ...closed } = state;
  if (correction === undefined) return [closed];
  if (state.booked !== undefined) return [{ ...closed, correction }];
  return [closed, ...[...overtaken, correction].map((c) => ({ ...closed, correction: c }))];
}

interface Turn extends Pick<Settled, 'settlement' | 'journals' | 'causeEventId' | 'problem'> {
  readonly generation: GenerationState;
}

function bookTurn(state: GenerationState, prices: Prices, terms: Terms): Turn {
  const { correction, booked } = state;
  const priceBook = state.opening?.priceBook ?? '';
  const { settlement, problem } = settleOrNot(state, prices, terms);
  const cause = causeOf(state);
  const leafIndex = BigInt(cause?.leafIndex ?? 0);
  const effectiveAt = effectiveAtOf(state);
  const head = {
    leafIndex,
    generationId: state.id,
    priceBook,
    effectiveAt,
    period: postingPeriod(effectiveAt, cause?.openFrom ?? monthOf(effectiveAt)),
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
    settlement,
    journals,
    causeEventId: cause?.eventId ?? '',
    ...(problem !== undefined && { problem }),
  };
}

/** The fact that is new to the books: its leaf posts once and takes back once. */
function causeOf({ close, correction, booked }: GenerationState): Close | Correction | undefined {
  if (correction === undefined) return close;
  const [closedBy] = booked?.byEventId.split(' ') ?? [];
  return closedBy === close?.eventId ? correction : close;
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

import {
  reversalOf,
  settle,
  type GenerationState,
  type Prices,
  type Settlement,
} from '#libs/ledger';
import type { GenerationWork, JournalRow, QuarantineRow } from './rows.js';

export interface SettleContext {
  /** Called once per batch, before any rating: brings the stored ones of these versions within reach of `pricesOf`. */
  readonly loadPrices: (versions: ReadonlySet<string>) => Promise<void>;
  /** The price book of that version, or undefined when it is not stored. */
  readonly pricesOf: (version: string) => Prices | undefined;
  /** A fact of the catalog that sets a flag and no amount. */
  readonly stopsBillingOnCancel: (providerId: string) => boolean | undefined;
  readonly nowMs: number;
}

export type SettleOutcome =
  | { readonly kind: 'set_aside'; readonly row: QuarantineRow }
  | {
      readonly kind: 'settled';
      readonly opening: NonNullable<GenerationState['opening']>;
      /** False where an earlier settlement is corrected: its hold has ended already. */
      readonly first: boolean;
      readonly journals: readonly JournalRow[];
      /** Change of what the customer has been charged. */
      readonly deltaPicoUsd: bigint;
      readonly problem?: QuarantineRow;
    };

/** Settles the close in force and notes it in `work`. Earlier books of the generation are taken back first. */
export function settleWork(work: GenerationWork, context: SettleContext): SettleOutcome {
  const { state } = work;
  const { opening, close, booked } = state;
  if (opening === undefined || close === undefined) throw new RangeError('nothing to settle');
  const leafIndex = BigInt(close.leafIndex);
  const aside = (code: QuarantineRow['code'], detail: string): QuarantineRow => ({
    leafIndex,
    code,
    generationId: state.id,
    detail,
  });
  const prices = context.pricesOf(opening.priceBook);
  if (prices === undefined)
    return { kind: 'set_aside', row: aside('price_book_unknown', opening.priceBook) };
  let settlement: Settlement;
  let problem: QuarantineRow | undefined;
  try {
    settlement = settle(state, prices, context.stopsBillingOnCancel);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    problem = aside('bad_usage', error.message);
    settlement = uncharged(opening.priceBook);
  }
  const head = { leafIndex, generationId: state.id, effectiveAt: work.closedAt ?? '' };
  const journals: JournalRow[] = [];
  if (booked?.journalId !== undefined)
    journals.push({
      ...head,
      id: leafIndex * 2n + 1n,
      kind: 'reversal',
      priceBook: opening.priceBook,
      reverses: BigInt(booked.journalId),
      postings: reversalOf(booked.postings),
    });
  const journalId = settlement.postings.length > 0 ? leafIndex * 2n : undefined;
  if (journalId !== undefined)
    journals.push({
      ...head,
      id: journalId,
      kind: 'usage',
      priceBook: settlement.priceBook,
      reverses: null,
      postings: settlement.postings,
    });
  work.settled = {
    ratedAt: new Date(context.nowMs).toISOString(),
    priceBook: settlement.priceBook,
    customerPicoUsd: settlement.customerPicoUsd,
    ...(settlement.usage !== undefined && { usage: settlement.usage }),
    attempts: settlement.attempts,
    flags: settlement.flags,
  };
  work.state = {
    ...state,
    booked: {
      byEventId: close.eventId,
      ...(journalId !== undefined && { journalId: journalId.toString() }),
      postings: settlement.postings,
      customerPicoUsd: settlement.customerPicoUsd,
    },
  };
  return {
    kind: 'settled',
    opening,
    first: booked === undefined,
    journals,
    deltaPicoUsd: BigInt(settlement.customerPicoUsd) - BigInt(booked?.customerPicoUsd ?? '0'),
    ...(problem !== undefined && { problem }),
  };
}

const uncharged = (priceBook: string): Settlement => ({
  priceBook,
  customerPicoUsd: '0',
  attempts: [],
  flags: ['usage_unknown'],
  postings: [],
});

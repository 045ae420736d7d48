import type { AttemptOutcome, UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { billableUsage, type BillingRule } from './billable-usage.js';
import { journalFor, type Posting } from './journal.js';
import type { GenerationState } from './life-cycle.js';
import { rate, type RatedLine } from './rate.js';

export interface RatedAttempt {
  readonly number: number;
  readonly endpoint: string;
  readonly provider: string;
  readonly rule: BillingRule;
  /** Absent where nothing is billed to the customer, or the price book has no price. */
  readonly customer?: { readonly amountPicoUsd: string; readonly lines: readonly RatedLineData[] };
  readonly providerCost?: { readonly amountPicoUsd: string };
}

/** A rated line as JSON. */
export type RatedLineData = Pick<RatedLine, 'class' | 'tokens'> & {
  readonly pricePicoUsdPerToken: string;
  readonly amountPicoUsd: string;
};

export type SettlementFlag =
  /** Used, but the pinned price book has no price for the endpoint: nothing could be charged. */
  | 'unpriced'
  /** A tool of the provider's was called that has no price there. */
  | 'unpriced_tool'
  /** It cost more than was held. */
  | 'over_hold'
  | 'usage_unknown'
  | 'provider_may_bill_more';

/** The reading of one close under one price book: what goes into the books, and why. Plain JSON. */
export interface Settlement {
  readonly priceBook: string;
  readonly customerPicoUsd: string;
  readonly usage?: UsageData;
  readonly attempts: readonly RatedAttempt[];
  readonly flags: readonly SettlementFlag[];
  readonly postings: readonly Posting[];
}

export interface Prices {
  priceOf(endpointId: string): Price | undefined;
}

/**
 * Rates the close in force and drafts its journal. Pure in (state, prices); `stopsBillingOnCancel` only sets a flag.
 * Call it for a state that has an opening and a close. Throws RangeError on counts that are no counts.
 */
export function settle(
  state: GenerationState,
  prices: Prices,
  stopsBillingOnCancel: (providerId: string) => boolean | undefined = () => undefined,
): Settlement {
  const { opening, close } = state;
  if (opening === undefined || close === undefined)
    throw new RangeError('only what was opened and closed can be settled');
  const flags = new Set<SettlementFlag>();
  const providerPicoUsd = new Map<string, bigint>();
  let customer = 0n;
  let usage: UsageData | undefined;
  const attempts = close.attempts.map((attempt): RatedAttempt => {
    const bill = billableUsage(attempt, close.status, stopsBillingOnCancel(attempt.provider));
    if (bill.providerMayBillMore) flags.add('provider_may_bill_more');
    if (bill.rule === 'usage_unknown') flags.add('usage_unknown');
    if (bill.customer !== undefined) usage = bill.customer;
    const price = prices.priceOf(attempt.endpoint);
    const head = headOf(attempt, bill.rule);
    if (price === undefined) {
      if (bill.customer !== undefined || bill.provider !== undefined) flags.add('unpriced');
      return head;
    }
    const owed = bill.provider === undefined ? undefined : rate(bill.provider, price).totalPicoUsd;
    if (owed !== undefined)
      providerPicoUsd.set(attempt.provider, (providerPicoUsd.get(attempt.provider) ?? 0n) + owed);
    const charged = bill.customer === undefined ? undefined : rate(bill.customer, price);
    customer += charged?.totalPicoUsd ?? 0n;
    if ((charged?.unpricedTools.length ?? 0) > 0) flags.add('unpriced_tool');
    return {
      ...head,
      ...(charged !== undefined && {
        customer: {
          amountPicoUsd: charged.totalPicoUsd.toString(),
          lines: charged.lines.map(lineData),
        },
      }),
      ...(owed !== undefined && { providerCost: { amountPicoUsd: owed.toString() } }),
    };
  });
  const { hold } = opening;
  if (hold.leases.length > 0 && customer > BigInt(hold.amountPicoUsd)) flags.add('over_hold');
  return {
    priceBook: opening.priceBook,
    customerPicoUsd: customer.toString(),
    ...(usage !== undefined && { usage }),
    attempts,
    flags: [...flags],
    postings: journalFor({
      organisationId: opening.organisationId,
      model: opening.model,
      customerPicoUsd: customer,
      providerPicoUsd,
    }),
  };
}

const headOf = (a: AttemptOutcome, rule: BillingRule): RatedAttempt => ({
  number: a.number,
  endpoint: a.endpoint,
  provider: a.provider,
  rule,
});

const lineData = (line: RatedLine): RatedLineData => ({
  class: line.class,
  tokens: line.tokens,
  pricePicoUsdPerToken: line.pricePicoUsdPerToken.toString(),
  amountPicoUsd: line.amountPicoUsd.toString(),
});

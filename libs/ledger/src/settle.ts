import type { AttemptOutcome, GenerationOutcome, UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { billableUsage, type BillableUsage, type BillingRule } from './billable-usage.js';
import { costsAgree, type CostDifference } from './cost-difference.js';
import { journalFor, type Posting } from './journal.js';
import type { Correction, GenerationState } from './life-cycle.js';
import { rate, type RatedLine } from './rate.js';

export interface RatedAttempt {
  readonly number: number;
  readonly endpoint: string;
  readonly provider: string;
  readonly rule: BillingRule;
  /** Absent where nothing is billed to the customer, or the price book has no price. */
  readonly customer?: { readonly amountPicoUsd: string; readonly lines: readonly RatedLineData[] };
  /** What we reckon the provider will charge us, and its own figure where it named one. */
  readonly providerCost?: { readonly amountPicoUsd: string; readonly reportedPicoUsd?: string };
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
  | 'provider_may_bill_more'
  /** A provider's own figure is further from ours than tolerated. */
  | 'cost_differs'
  /** By an operator's correction. */
  | 'corrected';

/** The reading of one close (and its correction) under one price book: what goes into the books, and why. Plain JSON. */
export interface Settlement {
  readonly priceBook: string;
  readonly customerPicoUsd: string;
  readonly usage?: UsageData;
  readonly attempts: readonly RatedAttempt[];
  readonly flags: readonly SettlementFlag[];
  readonly postings: readonly Posting[];
  readonly costDifferences: readonly CostDifference[];
}

export interface Prices {
  priceOf(endpointId: string): Price | undefined;
}

/**
 * Rates the facts in force and drafts their journal. Pure in (state, prices); `stopsBillingOnCancel` only sets a flag.
 * Call it for a state that has an opening and a close. Throws RangeError on counts that are no counts and on amounts
 * that no posting can hold.
 */
export function settle(
  state: GenerationState,
  prices: Prices,
  stopsBillingOnCancel: (providerId: string) => boolean | undefined = () => undefined,
): Settlement {
  const { opening, close, correction } = state;
  if (opening === undefined || close === undefined)
    throw new RangeError('only what was opened and closed can be settled');
  const flags = new Set<SettlementFlag>();
  const providerPicoUsd = new Map<string, bigint>();
  const costDifferences: CostDifference[] = [];
  let customer = 0n;
  let usage: UsageData | undefined;
  const attempts = close.attempts.map((attempt): RatedAttempt => {
    const { provider } = attempt;
    const bill = billOf(attempt, close.status, correction, stopsBillingOnCancel(provider));
    if (bill.providerMayBillMore) flags.add('provider_may_bill_more');
    if (bill.rule === 'usage_unknown') flags.add('usage_unknown');
    if (bill.customer !== undefined) usage = bill.customer;
    const price = prices.priceOf(attempt.endpoint);
    if (price === undefined && (bill.customer !== undefined || bill.provider !== undefined))
      flags.add('unpriced');
    const { owed, charged } = rated(bill, price);
    if (owed !== undefined)
      providerPicoUsd.set(provider, (providerPicoUsd.get(provider) ?? 0n) + owed);
    customer += charged?.totalPicoUsd ?? 0n;
    if ((charged?.unpricedTools.length ?? 0) > 0) flags.add('unpriced_tool');
    const reported = bill.provider?.reportedCostPicoUsd;
    if (reported !== undefined && !costsAgree(owed, BigInt(reported))) {
      flags.add('cost_differs');
      costDifferences.push(differenceOf(attempt, opening.priceBook, owed, reported));
    }
    return {
      ...headOf(attempt, bill.rule),
      ...(charged !== undefined && {
        customer: {
          amountPicoUsd: charged.totalPicoUsd.toString(),
          lines: charged.lines.map(lineData),
        },
      }),
      ...(owed !== undefined && {
        providerCost: {
          amountPicoUsd: owed.toString(),
          ...(reported !== undefined && { reportedPicoUsd: reported }),
        },
      }),
    };
  });
  if (correction !== undefined) flags.add('corrected');
  const decided = correction?.amount;
  if (decided !== undefined) {
    customer = BigInt(decided.customerPicoUsd);
    for (const p of decided.providers ?? [])
      providerPicoUsd.set(p.provider, BigInt(p.amountPicoUsd));
  }
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
      payer: opening.payer ?? 'receivable',
      model: opening.model,
      customerPicoUsd: customer,
      providerPicoUsd,
    }),
    costDifferences,
  };
}

/** A corrected usage is what was used, whatever the attempt's end: both sides are billed by it. */
function billOf(
  attempt: AttemptOutcome,
  closedStatus: GenerationOutcome,
  correction: Correction | undefined,
  stopsBillingOnCancel: boolean | undefined,
): BillableUsage {
  const usage = correction?.usage?.find((u) => u.attempt === attempt.number)?.usage;
  return usage === undefined
    ? billableUsage(attempt, closedStatus, stopsBillingOnCancel)
    : { rule: 'corrected', customer: usage, provider: usage, providerMayBillMore: false };
}

const rated = ({ customer, provider }: BillableUsage, price: Price | undefined) => ({
  owed:
    price === undefined || provider === undefined ? undefined : rate(provider, price).totalPicoUsd,
  charged: price === undefined || customer === undefined ? undefined : rate(customer, price),
});

const differenceOf = (
  { number, endpoint, provider }: AttemptOutcome,
  priceBook: string,
  computed: bigint | undefined,
  reportedPicoUsd: string,
): CostDifference => ({
  attempt: number,
  endpoint,
  provider,
  priceBook,
  ...(computed !== undefined && { computedPicoUsd: computed.toString() }),
  reportedPicoUsd,
});

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

import type { AttemptOutcome, GenerationOutcome, UsageData } from '#libs/audit-events';

/** Why an attempt is billed as it is; written beside every rated attempt. */
export type BillingRule =
  | 'as_used'
  | 'zero_completion'
  | 'cut_short'
  | 'from_progress'
  | 'not_dispatched'
  /** By an operator's correction of the usage. */
  | 'corrected'
  | 'usage_unknown';

export interface BillableUsage {
  readonly rule: BillingRule;
  /** What the customer pays for; absent = nothing. */
  readonly customer?: UsageData;
  /** What we expect the provider to charge us; absent = nothing known. */
  readonly provider?: UsageData;
  /** The provider may charge more than we know of: it goes on (and bills) after we hung up, or never told us. */
  readonly providerMayBillMore: boolean;
}

/**
 * The rule of billing one attempt, for every wire format and every ending. It reads only the record, so that the books
 * follow from the log; `stopsBillingOnCancel` (a fact of the catalog) changes a flag and no amount.
 *
 * - completed: customer and provider by the usage, reported before counted.
 * - never dispatched: nothing.
 * - failed or timed out before the first content: the customer pays nothing (zero-completion insurance); the provider
 *   is owed what it reported itself, if anything.
 * - failed or timed out after the first content: both by the usage known: what was delivered was used.
 * - cancelled by the client: both by the usage known when the connection closed. Where the provider does not stop
 *   billing on cancel, ingress reads on to the end and the usage is the whole answer's; where it hung up all the same,
 *   the provider's invoice may be higher, which is flagged for reconciliation and never put on the customer afterwards.
 * - recovered after a crash: by the last progress record; without one it may have left, is flagged, and costs nothing.
 */
export function billableUsage(
  attempt: Pick<AttemptOutcome, 'outcome' | 'firstTokenAt' | 'usage'>,
  closedStatus: GenerationOutcome,
  stopsBillingOnCancel?: boolean,
): BillableUsage {
  const { outcome, usage } = attempt;
  if (outcome === 'not_dispatched') return { rule: 'not_dispatched', providerMayBillMore: false };
  if (usage === undefined)
    return {
      rule: outcome === 'completed' || outcome === 'unknown' ? 'usage_unknown' : 'zero_completion',
      providerMayBillMore: outcome !== 'http_error',
    };
  if (outcome === 'completed')
    return { rule: 'as_used', customer: usage, provider: usage, providerMayBillMore: false };
  if (usage.basis === 'progress' || closedStatus === 'recovered')
    return { rule: 'from_progress', customer: usage, provider: usage, providerMayBillMore: true };
  if (outcome === 'cancelled')
    return {
      rule: 'cut_short',
      customer: usage,
      provider: usage,
      providerMayBillMore: usage.basis !== 'reported' && stopsBillingOnCancel !== true,
    };
  if (attempt.firstTokenAt !== undefined)
    return {
      rule: 'cut_short',
      customer: usage,
      provider: usage,
      providerMayBillMore: usage.basis !== 'reported',
    };
  return usage.basis === 'reported'
    ? { rule: 'zero_completion', provider: usage, providerMayBillMore: false }
    : { rule: 'zero_completion', providerMayBillMore: true };
}

import type { AttemptOutcome, ReconciledSide, UsageData } from '#libs/audit-events';
import { billableUsage, type BillingRule } from '../billable-usage.js';
import { costsAgree } from '../cost-difference.js';
import type { GenerationState } from '../life-cycle.js';
import type { RatedAttempt } from '../settle.js';

/** One line of a provider's usage export. A class that it does not name is not compared: absent is not zero. */
export interface ProviderUsage {
  readonly requestId: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens?: number;
  readonly cacheWriteTokens?: number;
  readonly cacheWrite1hTokens?: number;
  readonly reasoningTokens?: number;
  readonly costPicoUsd?: string;
}

/** What we expect a provider to bill for one attempt. */
export interface OurAttempt {
  readonly generationId: string;
  readonly attempt: number;
  /** Of the attempt; `open` while the generation is. */
  readonly outcome: string;
  readonly rule?: BillingRule;
  /** Absent: nothing is expected. */
  readonly usage?: UsageData;
  readonly costPicoUsd?: string;
  readonly providerMayBillMore: boolean;
}

export const DIFFERENCE_KINDS = [
  'only_theirs',
  'only_ours',
  'billed_twice',
  'tokens_differ',
  'cost_differs',
] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

export interface UsageDifference {
  readonly kind: DifferenceKind;
  readonly requestId: string;
  readonly ours?: OurAttempt;
  readonly theirs?: ProviderUsage;
  /**
   * The written rule (docs/billing.md) under which this was to be expected. `provider_may_bill_more`: we hung up, or never
   * heard how it ended, and they bill at least what we saw. `still_open`: our record of its end is yet to come.
   */
  readonly explainedBy?: 'provider_may_bill_more' | 'still_open';
}

/** Lays one request side by side. `theirs`: every line that names it; more than one bills it twice. */
export function compareUsage(
  requestId: string,
  ours: OurAttempt | undefined,
  theirs: readonly ProviderUsage[],
): readonly UsageDifference[] {
  const [first, ...further] = theirs;
  const differences = further.map((line): UsageDifference => ({
    kind: 'billed_twice',
    requestId,
    theirs: line,
    ...(ours !== undefined && { ours }),
  }));
  if (first === undefined) {
    if (ours?.usage === undefined) return differences;
    return [{ kind: 'only_ours', requestId, ours }];
  }
  if (ours?.usage === undefined)
    return [
      {
        kind: 'only_theirs',
        requestId,
        theirs: first,
        ...(ours !== undefined && { ours, ...explanation(ours) }),
      },
      ...differences,
    ];
  const kind = tokensDiffer(ours.usage, first)
    ? 'tokens_differ'
    : costDiffers(ours, first)
      ? 'cost_differs'
      : undefined;
  if (kind === undefined) return differences;
  const explained = kind === 'tokens_differ' && isAtLeast(first, ours.usage);
  const found = { kind, requestId, ours, theirs: first } as const;
  return [explained ? { ...found, ...explanation(ours) } : found, ...differences];
}

const explanation = (ours: OurAttempt): Pick<UsageDifference, 'explainedBy'> =>
  ours.outcome === 'open'
    ? { explainedBy: 'still_open' }
    : ours.providerMayBillMore
      ? { explainedBy: 'provider_may_bill_more' }
      : {};

const CLASSES = [
  'cacheReadTokens',
  'cacheWriteTokens',
  'cacheWrite1hTokens',
  'reasoningTokens',
] as const;

const tokensDiffer = (ours: UsageData, theirs: ProviderUsage): boolean =>
  ours.inputTokens !== theirs.inputTokens ||
  ours.outputTokens !== theirs.outputTokens ||
  CLASSES.some((c) => theirs[c] !== undefined && theirs[c] !== (ours[c] ?? 0));

const isAtLeast = (theirs: ProviderUsage, ours: UsageData): boolean =>
  theirs.inputTokens >= ours.inputTokens && theirs.outputTokens >= ours.outputTokens;

const costDiffers = (ours: OurAttempt, theirs: ProviderUsage): boolean =>
  theirs.costPicoUsd !== undefined &&
  !costsAgree(
    ours.costPicoUsd === undefined ? undefined : BigInt(ours.costPicoUsd),
    BigInt(theirs.costPicoUsd),
  );

/** The attempts of a generation that went to a provider, in order: what its records make us expect. */
export function attemptsAt(
  provider: string,
  state: GenerationState,
  rated: readonly RatedAttempt[],
  stopsBillingOnCancel?: boolean,
): readonly OurAttempt[] {
  const { close, correction } = state;
  return state.attempts
    .filter((a) => a.provider === provider)
    .map(({ number }): OurAttempt => {
      const head = { generationId: state.id, attempt: number };
      if (close === undefined) return { ...head, outcome: 'open', providerMayBillMore: false };
      const outcome: Pick<AttemptOutcome, 'outcome' | 'firstTokenAt' | 'usage'> =
        close.attempts.find((a) => a.number === number) ?? { outcome: 'unknown' };
      const bill = billableUsage(outcome, close.status, stopsBillingOnCancel);
      const corrected = correction?.usage?.find((u) => u.attempt === number)?.usage;
      const usage = corrected ?? bill.provider;
      const cost = rated.find((a) => a.number === number)?.providerCost?.amountPicoUsd;
      return {
        ...head,
        outcome: outcome.outcome,
        rule: corrected === undefined ? bill.rule : 'corrected',
        ...(usage !== undefined && { usage }),
        ...(cost !== undefined && { costPicoUsd: cost }),
        providerMayBillMore: corrected === undefined && bill.providerMayBillMore,
      };
    });
}

/** Adds up both sides and what was found, whatever the number of requests. */
export class ComparisonTotals {
  readonly #ours = new Side();
  readonly #theirs = new Side();
  readonly differences: Record<string, number> = {};
  matched = 0;
  explained = 0;

  add(
    ours: OurAttempt | undefined,
    theirs: readonly ProviderUsage[],
    found: readonly UsageDifference[],
  ): void {
    if (ours?.usage !== undefined) this.#ours.add(ours.usage, ours.costPicoUsd);
    for (const line of theirs) this.#theirs.add(line, line.costPicoUsd);
    if (found.length === 0 && ours?.usage !== undefined) this.matched++;
    for (const { kind, explainedBy } of found) {
      this.differences[kind] = (this.differences[kind] ?? 0) + 1;
      if (explainedBy !== undefined) this.explained++;
    }
  }

  get ours(): ReconciledSide {
    return this.#ours.sum();
  }

  get theirs(): ReconciledSide {
    return this.#theirs.sum();
  }

  /** Differences that no written rule explains. */
  get unexplained(): number {
    return Object.values(this.differences).reduce((sum, n) => sum + n, 0) - this.explained;
  }
}

class Side {
  #attempts = 0;
  #input = 0;
  #output = 0;
  #cost = 0n;

  add(
    tokens: { readonly inputTokens: number; readonly outputTokens: number },
    costPicoUsd: string | undefined,
  ): void {
    this.#attempts++;
    this.#input += tokens.inputTokens;
    this.#output += tokens.outputTokens;
    this.#cost += BigInt(costPicoUsd ?? 0);
  }

  sum(): ReconciledSide {
    return {
      attempts: this.#attempts,
      inputTokens: this.#input,
      outputTokens: this.#output,
      costPicoUsd: this.#cost.toString(),
    };
  }
}

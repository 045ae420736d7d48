import type { PicoUsd } from '#libs/kernel';
import type { BudgetScope, Lease } from './lease.js';
import type { LeaseAnswer, LeaseQuestion, LimitedScope } from './types.js';

/** A question whose answer never came. It may have been granted, or may be yet: asked again, or its id given back. */
export interface Unheard {
  readonly question: LeaseQuestion;
  /** The limit that it was asked under. */
  readonly scope: BudgetScope;
}

/** What a writer has of one limited scope. */
export interface ScopeBook {
  readonly scope: LimitedScope;
  /** Oldest first: older ones are drained before newer ones are touched. */
  leases: Lease[];
  asking: Promise<LeaseAnswer> | undefined;
  unheard: Unheard | undefined;
  /** What those who wait need together: the next question asks for all of it. */
  waitingPicoUsd: PicoUsd;
  /** Monotonic ms. */
  noTopUpBeforeMs: number;
}

export const newScopeBook = ({ scope, id }: LimitedScope): ScopeBook => ({
  scope: { scope, id },
  leases: [],
  asking: undefined,
  unheard: undefined,
  waitingPicoUsd: 0n,
  noTopUpBeforeMs: 0,
});

/** True where the question that was not answered would do for this as well: under the same limit, for no less. */
export const servesAgain = (
  { question, scope: under }: Unheard,
  scope: BudgetScope,
  neededPicoUsd: PicoUsd,
): boolean =>
  under.limitPicoUsd === scope.limitPicoUsd &&
  under.limitReset === scope.limitReset &&
  under.prepaid === scope.prepaid &&
  question.neededPicoUsd >= neededPicoUsd;

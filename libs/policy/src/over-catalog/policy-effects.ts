import type { Decider } from '../decider.js';
import { decideAll } from './contexts.js';
import type { AnalysisContext } from './contexts.js';

/** What one policy did over the whole catalog in all contexts together. */
export interface PolicyEffect {
  readonly policyId: string;
  /** Pairs of endpoint and context that it decided: refused, or for the baseline permit allowed. */
  readonly matched: number;
  /** Of these, where no other policy objected: what would open if it were gone. */
  readonly alone: number;
}

/** One entry per policy of the bundle, sorted by id. What it says holds for these contexts and this catalog. */
export function policyEffects(
  decider: Decider,
  contexts: readonly AnalysisContext[],
  nowMs: number,
): PolicyEffect[] {
  const ids = Object.keys(decider.bundle.policies).toSorted();
  const effects = new Map(ids.map((id) => [id, { policyId: id, matched: 0, alone: 0 }]));
  const count = (policyIds: readonly string[], pairs: number): void => {
    for (const id of policyIds) {
      const effect = effects.get(id);
      if (effect === undefined) continue;
      effect.matched += pairs;
      if (policyIds.length === 1) effect.alone += pairs;
    }
  };
  for (const context of contexts) {
    const { permitted, permittedBy, excluded } = decideAll(decider, context, nowMs);
    count(permittedBy, permitted.length);
    for (const { policyIds, endpoints } of excluded) count(policyIds, endpoints.length);
  }
  return [...effects.values()];
}

/** Policies that decided nothing. Another context or another catalog may wake them. */
export const deadPolicies = (effects: readonly PolicyEffect[]): string[] =>
  effects.filter((e) => e.matched === 0).map((e) => e.policyId);

/** Policies that object, and never as the only one: without them nothing would be open that is shut. */
export const shadowedPolicies = (effects: readonly PolicyEffect[]): string[] =>
  effects.filter((e) => e.matched > 0 && e.alone === 0).map((e) => e.policyId);

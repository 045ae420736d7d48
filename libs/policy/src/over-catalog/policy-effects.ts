import type { Endpoint } from '#libs/catalog';

import type { Decider } from '../decider.js';
import type { Decision, PolicyBundle } from '../types.js';
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
  const tally = new EffectTally(decider.bundle);
  for (const context of contexts) tally.add(decideAll(decider, context, nowMs));
  return tally.effects();
}

/** The same, decision by decision. */
export class EffectTally {
  readonly #effects: ReadonlyMap<string, { policyId: string; matched: number; alone: number }>;

  constructor(
    bundle: PolicyBundle,
    /** Endpoints that one stands for. */
    private readonly sizeOf: (one: Endpoint) => number = () => 1,
  ) {
    const ids = Object.keys(bundle.policies).toSorted();
    this.#effects = new Map(ids.map((id) => [id, { policyId: id, matched: 0, alone: 0 }]));
  }

  add({ permitted, permittedBy, excluded }: Decision): void {
    this.#count(permittedBy, permitted);
    for (const { policyIds, endpoints } of excluded) this.#count(policyIds, endpoints);
  }

  effects(): PolicyEffect[] {
    return [...this.#effects.values()];
  }

  #count(policyIds: readonly string[], endpoints: readonly Endpoint[]): void {
    const pairs = endpoints.reduce((sum, e) => sum + this.sizeOf(e), 0);
    if (pairs === 0) return;
    for (const id of policyIds) {
      const effect = this.#effects.get(id);
      if (effect === undefined) continue;
      effect.matched += pairs;
      if (policyIds.length === 1) effect.alone += pairs;
    }
  }
}

/** Policies that decided nothing. Another context or another catalog may wake them. */
export const deadPolicies = (effects: readonly PolicyEffect[]): string[] =>
  effects.filter((e) => e.matched === 0).map((e) => e.policyId);

/** Policies that object, and never as the only one: without them nothing would be open that is shut. */
export const shadowedPolicies = (effects: readonly PolicyEffect[]): string[] =>
  effects.filter((e) => e.matched > 0 && e.alone === 0).map((e) => e.policyId);

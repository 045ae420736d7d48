// What a bundle means before any traffic asks: over the documented context classes and the whole catalog.
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Endpoint } from '#libs/catalog';

import { analysisOf } from '../analysis.js';
import type { Decider } from '../decider.js';
import { deadPolicies, EffectTally, shadowedPolicies } from '../over-catalog/policy-effects.js';
import type { Decision } from '../types.js';
import { alikeEndpointsYielding, type AlikeEndpoints } from './alike-endpoints.js';
import { contextClasses } from './context-classes.js';
import type { BundleOutlook, SimulationReport } from './report.js';

/** Models listed, those lost in most contexts first; all are counted. */
const MODELS_LISTED_MAX = 100;
/** Contexts named per model, the first ones; all are counted. */
const CONTEXTS_NAMED_MAX = 3;

export interface OutlookInput {
  /** Both over the same catalog. */
  readonly before: Pick<Decider, 'bundle' | 'decideYielding'>;
  readonly after: Pick<Decider, 'bundle' | 'catalog' | 'decideYielding'>;
  readonly nowMs: number;
  /** Rules of the new bundle that recorded traffic has met: alive, whatever the contexts say. */
  readonly hit?: readonly string[];
}

/** Rules of the new bundle that the simulated traffic has met. */
export const rulesHit = ({ rules }: Pick<SimulationReport, 'rules'>): readonly string[] =>
  rules.filter(({ after = 0 }) => after > 0).map(({ id }) => id);

/** Reachability against the old bundle, dead and shadowed rules. Gives the event loop a turn after every context. */
export async function outlookOf(input: OutlookInput): Promise<BundleOutlook> {
  const { before, after, nowMs, hit = [] } = input;
  const bundles = [before.bundle, after.bundle];
  const groups = await alikeEndpointsYielding(after.catalog, bundles, nowMs);
  await nextTurn();
  const contexts = contextClasses(bundles);
  await nextTurn();
  const endpoints = groups.map((g) => g.one);
  const groupOf = new Map(groups.map((g) => [g.one, g]));
  const sizeOf = (one: Endpoint): number => groupOf.get(one)?.all.length ?? 0;
  const tally = new EffectTally(after.bundle, sizeOf);
  const losses = new Losses(groupOf);
  const same = before.bundle.version === after.bundle.version;
  for (const { name, profile, facts } of contexts) {
    const question = { profile, facts, endpoints, nowMs };
    const is = await after.decideYielding(question);
    tally.add(is);
    if (!same) losses.add(name, await before.decideYielding(question), is);
    await nextTurn();
  }
  const effects = tally.effects();
  const met = new Set(hit);
  const idle = deadPolicies(effects).filter((id) => !met.has(id));
  const analysis = analysisOf(after.bundle);
  const wishes = (id: string): boolean => analysis.readsOf([id]).attributes.has('want');
  return {
    contexts: contexts.length,
    endpoints: after.catalog.endpoints.length,
    newlyUnreachable: losses.result(),
    dead: idle.filter((id) => !wishes(id)),
    shadowed: shadowedPolicies(effects),
    notAsked: idle.filter(wishes),
  };
}

/** Models that had an open endpoint and have none any more, context by context. */
class Losses {
  readonly #lost = new Map<
    string,
    { contexts: number; readonly named: string[]; readonly closedBy: Set<string> }
  >();
  readonly #modelsOf = new Map<Endpoint, readonly string[]>();
  #contexts = 0;
  #pairs = 0;

  constructor(groupOf: ReadonlyMap<Endpoint, AlikeEndpoints>) {
    for (const [one, { all }] of groupOf)
      this.#modelsOf.set(one, [...new Set(all.map((e) => e.modelId))]);
  }

  add(context: string, was: Decision, is: Decision): void {
    const open = new Set(was.permitted);
    const closed = is.excluded.flatMap(({ policyIds, endpoints }) =>
      endpoints.filter((e) => open.has(e)).map((endpoint) => ({ endpoint, policyIds })),
    );
    if (closed.length === 0) return;
    const left = new Set(is.permitted.flatMap((e) => this.#models(e)));
    const lostHere = new Set<string>();
    for (const { endpoint, policyIds } of closed) {
      for (const modelId of this.#models(endpoint)) {
        if (left.has(modelId)) continue;
        const model = this.#lost.get(modelId) ?? { contexts: 0, named: [], closedBy: new Set() };
        this.#lost.set(modelId, model);
        for (const id of policyIds) model.closedBy.add(id);
        if (lostHere.has(modelId)) continue;
        lostHere.add(modelId);
        model.contexts += 1;
        if (model.named.length < CONTEXTS_NAMED_MAX) model.named.push(context);
      }
    }
    if (lostHere.size > 0) this.#contexts += 1;
    this.#pairs += lostHere.size;
  }

  result(): BundleOutlook['newlyUnreachable'] {
    const listed = [...this.#lost]
      .toSorted(([a, x], [b, y]) => y.contexts - x.contexts || (a < b ? -1 : 1))
      .slice(0, MODELS_LISTED_MAX)
      .map(([modelId, { contexts, named, closedBy }]) => ({
        modelId,
        contexts,
        inContexts: named,
        closedBy: [...closedBy].toSorted(),
      }));
    return { models: this.#lost.size, contexts: this.#contexts, pairs: this.#pairs, listed };
  }

  #models(one: Endpoint): readonly string[] {
    return this.#modelsOf.get(one) ?? [];
  }
}

import type { Decider } from '../decider.js';
import { decideAll } from './contexts.js';
import type { AnalysisContext } from './contexts.js';

/** Which models a context can still call. */
export interface Reachability {
  readonly context: string;
  /** Models with at least one permitted endpoint. */
  readonly reachable: number;
  /** Models of the catalog that have endpoints, and none permitted; sorted by id. */
  readonly unreachable: readonly UnreachableModel[];
}

export interface UnreachableModel {
  readonly modelId: string;
  readonly endpoints: number;
  /** Policies that object to some endpoint of it, sorted. */
  readonly objectedBy: readonly string[];
}

/** "This leaves no endpoint for model X in workspace Y", for every context. */
export function reachability(
  decider: Decider,
  contexts: readonly AnalysisContext[],
  nowMs: number,
): Reachability[] {
  return contexts.map((context) => {
    const { permitted, excluded } = decideAll(decider, context, nowMs);
    const reachable = new Set(permitted.map((e) => e.modelId));
    const shut = new Map<string, { endpoints: number; objectedBy: Set<string> }>();
    for (const { policyIds, endpoints } of excluded) {
      for (const { modelId } of endpoints) {
        if (reachable.has(modelId)) continue;
        const model = shut.get(modelId) ?? { endpoints: 0, objectedBy: new Set() };
        model.endpoints += 1;
        for (const id of policyIds) model.objectedBy.add(id);
        shut.set(modelId, model);
      }
    }
    const unreachable = [...shut]
      .map(([modelId, { endpoints, objectedBy }]) => ({
        modelId,
        endpoints,
        objectedBy: [...objectedBy].toSorted(),
      }))
      .toSorted((a, b) => (a.modelId < b.modelId ? -1 : 1));
    return { context: context.name, reachable: reachable.size, unreachable };
  });
}

import type { Catalog, Endpoint } from '#libs/catalog';

import { analysisOf } from '../analysis.js';
import { endpointFacts } from '../endpoint-facts.js';
import type { PolicyBundle } from '../types.js';

/** Endpoints that none of these bundles can tell apart; one is asked about for all. */
export interface AlikeEndpoints {
  readonly one: Endpoint;
  readonly all: readonly Endpoint[];
}

/** The catalog in groups of like facts: some hundreds in place of thousands. */
export function alikeEndpoints(
  catalog: Catalog,
  bundles: readonly PolicyBundle[],
  nowMs: number,
): readonly AlikeEndpoints[] {
  const reads = bundles.map((b) => analysisOf(b).reads);
  const told = (type: 'Endpoint' | 'Model'): boolean =>
    reads.some((r) => r.everything || r.identities.has(type));
  const groups = new Map<string, Endpoint[]>();
  for (const endpoint of catalog.endpoints) {
    const { endpointId, modelId, ...facts } = endpointFacts(endpoint, catalog, nowMs);
    const key = `${told('Endpoint') ? endpointId : ''}\n${told('Model') ? modelId : ''}\n${JSON.stringify(facts)}`;
    const group = groups.get(key);
    if (group) group.push(endpoint);
    else groups.set(key, [endpoint]);
  }
  return [...groups.values()].map((all) => ({ one: all[0]!, all }));
}

import { analysisOf } from '../analysis.js';
import { SEND_PROMPT } from '../cedar.js';
import { storeOf, uidOf } from '../compiled/scene.js';
import { keyUid, principalEntities } from '../entities.js';
import { POLICY_LAYERS } from '../types.js';
import type { PolicyBundle, PolicyCitation, PolicyLayer, PrincipalProfile } from '../types.js';

/** The policies that can ever have a say about what this principal asks, outermost layer first. */
export interface EffectivePolicy {
  readonly policyVersion: string;
  readonly layers: readonly {
    readonly layer: PolicyLayer;
    /** Sorted by id. */
    readonly policies: readonly PolicyCitation[];
  }[];
  /**
   * `exact`: policies about others, or with a condition on the principal that fails, are left out.
   * `all`: a policy cannot be compiled, so every policy is listed.
   */
  readonly basis: 'exact' | 'all';
}

/** Layers without a policy are left out. */
export function effectivePolicy(profile: PrincipalProfile, bundle: PolicyBundle): EffectivePolicy {
  const live = analysisOf(bundle).compiled?.couldMatch({
    principal: uidOf(keyUid(profile)),
    action: uidOf(SEND_PROMPT),
    context: undefined,
    entities: storeOf(principalEntities(profile)),
  });
  const ids = live ?? Object.keys(bundle.policies).toSorted();
  const cited = ids.flatMap((id) => bundle.citations[id] ?? []);
  return {
    policyVersion: bundle.version,
    layers: POLICY_LAYERS.map((layer) => ({
      layer,
      policies: cited.filter((c) => c.layer === layer),
    })).filter(({ policies }) => policies.length > 0),
    basis: live ? 'exact' : 'all',
  };
}

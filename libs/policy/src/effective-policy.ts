import { analysisOf } from './analysis.js';
import { policyJson, SEND_PROMPT } from './cedar.js';
import { storeOf, uidOf } from './compiled/scene.js';
import { keyUid, principalEntities } from './entities.js';
import { bindsAnother } from './inert.js';
import { POLICY_LAYERS } from './types.js';
import type { PolicyBundle, PolicyCitation, PolicyLayer, PrincipalProfile } from './types.js';

export interface EffectiveLayer {
  readonly layer: PolicyLayer;
  /** Sorted by id. */
  readonly policies: readonly (PolicyCitation & { readonly text: string })[];
}

/**
 * The rules that can bind this principal, outermost layer first; layers without one are left out. A rule about somebody
 * else is taken out, and so is one with a condition on the principal that fails; what a request brings along is not
 * known here. Where a policy cannot be compiled only the scopes are looked at.
 */
export function effectivePolicy(
  bundle: PolicyBundle,
  profile: PrincipalProfile,
): readonly EffectiveLayer[] {
  const binding = bindingIds(bundle, profile).flatMap((id) => {
    const citation = bundle.citations[id];
    return citation === undefined ? [] : [{ ...citation, text: bundle.policies[id] ?? '' }];
  });
  return POLICY_LAYERS.map((layer) => ({
    layer,
    policies: binding.filter((policy) => policy.layer === layer),
  })).filter(({ policies }) => policies.length > 0);
}

/** Sorted. */
function bindingIds(bundle: PolicyBundle, profile: PrincipalProfile): readonly string[] {
  const { compiled } = analysisOf(bundle);
  if (compiled !== undefined) {
    return compiled.couldMatch({
      principal: uidOf(keyUid(profile)),
      action: uidOf(SEND_PROMPT),
      context: undefined,
      entities: storeOf(principalEntities(profile)),
    });
  }
  const scoped = Object.entries(bundle.policies).filter(([, text]) => {
    const json = policyJson(text);
    return !json.ok || !bindsAnother(json.value, profile);
  });
  return scoped.map(([id]) => id).toSorted();
}

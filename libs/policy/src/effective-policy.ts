import { policyJson } from './cedar.js';
import { bindsAnother } from './inert.js';
import { POLICY_LAYERS } from './types.js';
import type { PolicyBundle, PolicyCitation, PolicyLayer, PrincipalProfile } from './types.js';

export interface EffectiveLayer {
  readonly layer: PolicyLayer;
  /** Sorted by id. */
  readonly policies: readonly (PolicyCitation & { readonly text: string })[];
}

/**
 * The rules that can bind this principal, outermost layer first; layers without one are left out. Only a scope that
 * names somebody else takes a rule out: whether its conditions hold is known when a request is there.
 */
export function effectivePolicy(
  bundle: PolicyBundle,
  profile: PrincipalProfile,
): readonly EffectiveLayer[] {
  const binding = Object.values(bundle.citations)
    .map((citation) => ({ ...citation, text: bundle.policies[citation.id] ?? '' }))
    .filter(({ text }) => {
      const json = policyJson(text);
      return !json.ok || !bindsAnother(json.value, profile);
    })
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return POLICY_LAYERS.map((layer) => ({
    layer,
    policies: binding.filter((policy) => policy.layer === layer),
  })).filter(({ policies }) => policies.length > 0);
}

// Bundle + request facts → decision with reasons. Cedar text is the rule, cedar-wasm the authority.
// Pure over wasm: no file, no clock, no network. Unknown is the worst case; an evaluation error denies.
// What is remembered (verdict memo, decision cache) only saves evaluations: it never changes an answer.
export { buildBundle, openBundle } from './build-bundle.js';
export type { BuiltBundle, BundleSources } from './build-bundle.js';
export { decodeBundle, encodeBundle } from './bundle-codec.js';
export { formatted as formatPolicyText } from './cedar.js';
export { createDecider } from './decider.js';
export type { Decider, DeciderOptions, DecisionInput } from './decider.js';
export { DecisionCache } from './decision-cache.js';
export type { DecisionKey } from './decision-cache.js';
export type { PolicyErrorCode } from './errors.js';
export type { Mismatch } from './judge.js';
export { factsKey, profileKey } from './keys.js';
export type { AnalysisContext } from './over-catalog/contexts.js';
export { diffBundles } from './over-catalog/diff-bundles.js';
export type { ContextDiff, EndpointDiff } from './over-catalog/diff-bundles.js';
export { effectivePolicy } from './over-catalog/effective-policy.js';
export type { EffectivePolicy } from './over-catalog/effective-policy.js';
export { deadPolicies, policyEffects, shadowedPolicies } from './over-catalog/policy-effects.js';
export type { PolicyEffect } from './over-catalog/policy-effects.js';
export { reachability } from './over-catalog/reachability.js';
export type { Reachability } from './over-catalog/reachability.js';
export { readPolicyCases, runPolicyCases } from './policy-cases.js';
export type { PolicyCase, PolicyCaseResult } from './policy-cases.js';
export type { BundleFault } from './read-policy.js';
export { refusalOf } from './refusal.js';
export type { PolicyRefusal } from './refusal.js';
export { DATA_CLASSES } from './types.js';
export type {
  DataClass,
  Decision,
  ExclusionCode,
  ExclusionGroup,
  PolicyBundle,
  PolicyCitation,
  PolicyLayer,
  PrincipalProfile,
  RequestFacts,
  RequestWants,
} from './types.js';

// Bundle + request facts → decision with reasons. Cedar text is the rule, cedar-wasm the authority.
// Pure over wasm: no file, no clock, no network. Unknown is the worst case; an evaluation error denies.
// What is remembered (verdict memo, decision cache) only saves evaluations: it never changes an answer.
export { buildBundle, openBundle } from './build-bundle.js';
export type { BuiltBundle, BundleSources } from './build-bundle.js';
export { decodeBundle, encodeBundle } from './bundle-codec.js';
export { formatted as formatPolicyText } from './cedar.js';
export { compiledFormOf, createDecider } from './decider.js';
export type { Decider, DeciderOptions, DecisionInput } from './decider.js';
export { DecisionCache } from './decision-cache.js';
export type { DecisionKey } from './decision-cache.js';
export { effectivePolicy } from './effective-policy.js';
export type { EffectiveLayer } from './effective-policy.js';
export type { PolicyErrorCode } from './errors.js';
export {
  breakGlassFor,
  EXCEPTION_SCOPES,
  exceptionsEpochOf,
  liftablePolicies,
} from './exceptions.js';
export type { BreakGlass, ExceptionScope, PolicyException } from './exceptions.js';
export { distrustCompiled, trustCompiled } from './judge.js';
export type { EvaluatorFinding, Mismatch } from './judge.js';
export { factsAsRead, factsKey, profileKey } from './keys.js';
export type { AnalysisContext } from './over-catalog/contexts.js';
export { diffBundles } from './over-catalog/diff-bundles.js';
export type { ContextDiff, EndpointDiff } from './over-catalog/diff-bundles.js';
export { deadPolicies, policyEffects, shadowedPolicies } from './over-catalog/policy-effects.js';
export type { PolicyEffect } from './over-catalog/policy-effects.js';
export { reachability } from './over-catalog/reachability.js';
export type { Reachability } from './over-catalog/reachability.js';
export { encodeInForce, PolicyReader, versionInForce } from './policy-in-force.js';
export type { PolicyInForce } from './policy-in-force.js';
export { readPolicyCases, runPolicyCases } from './policy-cases.js';
export type { PolicyCase, PolicyCaseResult } from './policy-cases.js';
export type { BundleFault } from './read-policy.js';
export { ALL_MODELS, recordedRequest, requestFacts } from './simulation/recorded-request.js';
export type { RecordedGeneration, RecordedRequest } from './simulation/recorded-request.js';
export { resimulate } from './simulation/resimulate.js';
export type { FirstChoice } from './simulation/question-group.js';
export type { Replan, Simulation } from './simulation/resimulate.js';
export { recordedRequests } from './simulation/recorded-stream.js';
export { counterOffer } from './explain/counter-offer.js';
export type { CounterOffer } from './explain/counter-offer.js';
export { compareBundles } from './simulation/compare-bundles.js';
export type { BundleComparison } from './simulation/compare-bundles.js';
export { egressOf } from './simulation/egress.js';
export type { EgressList } from './simulation/egress.js';
export { ToldPast } from './simulation/told-past.js';
export type { PastSources } from './simulation/told-past.js';
export { outlookOf, rulesHit } from './simulation/outlook.js';
export { rederive } from './simulation/rederive.js';
export type { RecordedDecision, Rederived } from './simulation/rederive.js';
export type { BundleOutlook, SimulationReport } from './simulation/report.js';
export { refusalOf } from './refusal.js';
export type { PolicyRefusal } from './refusal.js';
export {
  publicKeySchema,
  signBundle,
  signException,
  verifyBundle,
  verifyException,
} from './signature.js';
export type { BundleStatement, PolicyPublicKey, PolicySigningKey } from './signature.js';
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

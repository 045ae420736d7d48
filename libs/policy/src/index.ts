// Bundle + request facts → decision with reasons. Cedar text is the rule, cedar-wasm the authority.
// Pure over wasm: no file, no clock, no network. Unknown is the worst case; an evaluation error denies.
export { DATA_CLASSES } from './types.js';
export type {
  DataClass,
  Decision,
  ExclusionGroup,
  PolicyBundle,
  PolicyCitation,
  PrincipalProfile,
  RequestFacts,
  RequestWants,
} from './types.js';

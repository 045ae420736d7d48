import type { PolicyJson } from './cedar.js';
import type { PolicyCitation } from './types.js';

/** A policy between text and bundle. */
export interface ReadPolicy {
  readonly id: string;
  readonly file: string;
  readonly text: string;
  readonly json: PolicyJson;
  readonly citation: PolicyCitation;
}

export type BundleFaultCode =
  | 'schema-syntax'
  | 'schema-misfit'
  | 'policy-syntax'
  | 'annotation'
  | 'duplicate-id'
  | 'layering'
  /** An operator outside the subset that the compiled evaluator holds equal to cedar-wasm. */
  | 'operator'
  /** `[…].containsAll(resource.x)` where `resource.x` may be empty: nothing would pass for everything. */
  | 'empty-set'
  | 'validation'
  | 'version';

/** One thing wrong with the sources; all are reported at once. */
export interface BundleFault {
  readonly code: BundleFaultCode;
  /** File name as given, or `schema`. */
  readonly file: string;
  readonly policyId?: string;
  readonly message: string;
}

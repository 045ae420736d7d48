/** Closed set of this lib's exceptional failures. A denial is a value, never one of these. */
export type PolicyErrorCode =
  /** Text that is not a bundle (it did not come through `buildBundle`) was given to the engine. */
  | 'policy-bundle-unusable'
  /** A bundle or an exception is not signed by a key that is believed. */
  | 'policy-signature-invalid'
  /** A file of policy cases does not have the shape of one. */
  | 'policy-cases-unreadable';

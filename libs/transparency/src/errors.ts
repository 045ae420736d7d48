/** Closed set of this lib's error codes: what was wrong with the thing that was read or asked for. */
export type TransparencyErrorCode =
  | 'invalid_size'
  | 'invalid_index'
  | 'invalid_hash'
  | 'invalid_tile'
  | 'invalid_entry_bundle'
  | 'entry_too_large'
  | 'invalid_key'
  | 'malformed_note'
  | 'invalid_signature'
  | 'unverified_note'
  | 'invalid_checkpoint'
  | 'invalid_time'
  | 'invalid_proof'
  | 'unknown_log'
  | 'quorum_not_met'
  | 'invalid_policy';

/**
 * The only thing that this lib throws. It is not a DomainError, because the verifiers that use this lib
 * have no other rule of the house to know. Messages name the fault, never the bytes of an entry.
 */
export class TransparencyError extends Error {
  constructor(
    readonly code: TransparencyErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'TransparencyError';
  }
}

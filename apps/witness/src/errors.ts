import { DomainError } from '#libs/kernel';

export type WitnessErrorCode =
  | 'witness_key_invalid'
  | 'witness_memory_missing'
  | 'witness_memory_of_another_key'
  | 'witness_memory_broken';

/** Why a witness does not start: one that may have forgotten must not sign. */
export class WitnessError extends DomainError<WitnessErrorCode> {}

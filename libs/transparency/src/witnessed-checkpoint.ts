import { parseCheckpoint } from './checkpoint.js';
import type { Checkpoint } from './checkpoint.js';
import { TransparencyError } from './errors.js';
import { sameKey } from './key.js';
import { openNote } from './note.js';
import type { VerifiedSignature } from './note.js';
import { isSatisfied } from './policy.js';
import type { TlogPolicy } from './policy.js';

export interface WitnessedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** Cosignatures of the policy's witnesses, with their times. */
  readonly cosignatures: readonly VerifiedSignature[];
}

/**
 * Opens a signed checkpoint under a policy: signed by one of its logs, whose key name is the origin, and cosigned by its
 * quorum. Throws unknown_log, quorum_not_met, invalid_checkpoint, or what openNote throws.
 */
export function openCheckpoint(note: string, policy: TlogPolicy): WitnessedCheckpoint {
  const verifiers = [...policy.logs, ...policy.witnesses].map(({ verifier }) => verifier);
  const { body, verified } = openNote(note, verifiers);
  const checkpoint = parseCheckpoint(body);
  const ofLog = policy.logs.some(
    ({ verifier }) =>
      verifier.name === checkpoint.origin &&
      verified.some((signature) => sameKey(signature, verifier)),
  );
  if (!ofLog)
    throw new TransparencyError(
      'unknown_log',
      'no log of the policy signed this checkpoint as its own',
    );
  const cosignatures = verified.filter(({ timeSeconds }) => timeSeconds !== undefined);
  if (!isSatisfied(policy, cosignatures))
    throw new TransparencyError(
      'quorum_not_met',
      'too few witnesses of the policy cosigned this checkpoint',
    );
  return { checkpoint, cosignatures };
}

import { parseCheckpoint } from './checkpoint.js';
import { TransparencyError } from './errors.js';
import { sameKey } from './key.js';
import type { NoteSigner, NoteVerifier } from './key.js';
import { formatSignatureLine, parseSignatureLine } from './note.js';
import { signTimestamped, verifyTimestamped } from './timestamped-signature.js';

/**
 * A witness's signature line for this checkpoint body: at this time (POSIX seconds) it is the largest consistent tree
 * that the witness has seen of this log. Throws invalid_key unless the key is a witness's, invalid_checkpoint, invalid_time.
 */
export function cosign(body: string, signer: NoteSigner, timeSeconds: bigint): string {
  if (signer.purpose !== 'cosignature')
    throw new TransparencyError('invalid_key', 'a log key must not sign as a witness');
  parseCheckpoint(body);
  return formatSignatureLine(signer, signTimestamped(body, signer, timeSeconds));
}

/** The time (POSIX seconds) at which this witness cosigned this body; undefined if the line does not say so. Total. */
export function verifyCosignature(
  body: string,
  line: string,
  verifier: NoteVerifier,
): bigint | undefined {
  try {
    const signature = parseSignatureLine(line);
    if (verifier.purpose !== 'cosignature' || !sameKey(signature, verifier)) return undefined;
    return verifyTimestamped(body, signature.signature, verifier);
  } catch (error) {
    if (error instanceof TransparencyError) return undefined;
    throw error;
  }
}

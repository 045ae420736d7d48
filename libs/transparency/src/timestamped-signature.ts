import { MAX_SIZE, isSize } from './encoding.js';
import { TransparencyError } from './errors.js';
import type { NoteSigner, NoteVerifier } from './key.js';

const TIME_BYTES = 8;

/** The `timestamped_signature` of C2SP tlog-cosignature: u64 time, then Ed25519 over the message below. */
export function signTimestamped(body: string, signer: NoteSigner, timeSeconds: bigint): Buffer {
  if (!isSize(timeSeconds))
    throw new TransparencyError('invalid_time', 'POSIX seconds between 0 and 2^63 - 1');
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(timeSeconds);
  return Buffer.concat([time, signer.sign(messageOf(body, timeSeconds))]);
}

/** The time that the key signed, POSIX seconds; undefined if it did not sign this. */
export function verifyTimestamped(
  body: string,
  signature: Buffer,
  verifier: NoteVerifier,
): bigint | undefined {
  if (signature.length < TIME_BYTES) return undefined;
  const timeSeconds = signature.readBigUInt64BE();
  if (timeSeconds > MAX_SIZE) return undefined;
  const good = verifier.verify(messageOf(body, timeSeconds), signature.subarray(TIME_BYTES));
  return good ? timeSeconds : undefined;
}

/** The first line separates this from a note text: no checkpoint of an origin of ours begins with it. */
const messageOf = (body: string, timeSeconds: bigint): string =>
  `cosignature/v1\ntime ${timeSeconds}\n${body}`;

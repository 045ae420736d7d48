import { hash } from 'node:crypto';

/** SHA-256, the only hash of C2SP tiled logs. */
export const HASH_BYTES = 32;

const LEAF_PREFIX = 0x00;
/** Most entries fit: they are put behind the prefix here, once for all, in place of a copy of their own. */
const leafInput = Buffer.alloc(16 * 1_024, LEAF_PREFIX);
const NODE_BYTES = 1 + 2 * HASH_BYTES;

/** The root of a tree without leaves: SHA-256 of nothing (RFC 6962 section 2.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', Buffer.alloc(0), 'buffer');

/** SHA-256(0x00 || entry): the prefix keeps an entry from passing for an inner node (RFC 6962 section 2.1). */
export function leafHash(entry: Uint8Array): Buffer {
  const length = 1 + entry.length;
  if (length > leafInput.length)
    return hash('sha256', Buffer.concat([Buffer.from([LEAF_PREFIX]), entry]), 'buffer');
  leafInput.set(entry, 1);
  return hash('sha256', leafInput.subarray(0, length), 'buffer');
}

/** SHA-256(0x01 || left || right). Both must be hashes; their lengths are the caller's to check. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(NODE_BYTES);
  input[0] = 0x01;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return hash('sha256', input, 'buffer');
}

/** Whether the value is exactly one hash; proofs and roots come from outside. */
export const isHash = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array && value.length === HASH_BYTES;

/** Comparison of public values: nothing here is secret, so time does not matter. */
export const sameHash = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

import {
  openNote,
  parseCheckpoint,
  parseNote,
  TransparencyError,
  type Checkpoint,
  type NoteVerifier,
} from '#libs/transparency';

/** A checkpoint as the log signed it. */
export interface SignedHead {
  readonly origin: string;
  readonly size: number;
  readonly rootHash: Buffer;
  /** Signature lines of keys that were not given: nothing is said of them. */
  readonly otherSignatures: number;
}

export type HeadRead =
  | { readonly ok: true; readonly head: SignedHead }
  | { readonly ok: false; readonly message: string };

/** A tree beyond this many leaves is beyond a number that JavaScript counts by exactly. */
const SIZE_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Opens a checkpoint with the log's key; without one the signature is not looked at. The origin must be the key's name:
 * a checkpoint of another log that the same party signed is not this log's.
 */
export function readHead(note: string, key: NoteVerifier | undefined): HeadRead {
  let checkpoint: Checkpoint;
  let otherSignatures: number;
  try {
    const { signatures } = parseNote(note);
    const opened = key && openNote(note, [key]);
    otherSignatures = (opened?.unverified ?? signatures).length;
    checkpoint = parseCheckpoint((opened ?? parseNote(note)).body);
  } catch (error) {
    if (!(error instanceof TransparencyError)) throw error;
    return { ok: false, message: `no checkpoint signed by the given key: ${error.message}` };
  }
  const { origin, size, rootHash } = checkpoint;
  if (key && origin !== key.name)
    return { ok: false, message: `signed for the origin ${origin}, not ${key.name}` };
  if (size > SIZE_MAX) return { ok: false, message: 'a tree of an impossible size' };
  // A copy: a part of a text keeps the whole of it in memory, here a megabyte for each of a hundred thousand.
  const own = Buffer.from(origin).toString();
  return { ok: true, head: { origin: own, size: Number(size), rootHash, otherSignatures } };
}

export const sameHead = (a: SignedHead, b: SignedHead): boolean =>
  a.size === b.size && a.rootHash.equals(b.rootHash);

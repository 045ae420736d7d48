import type { Head } from '#libs/ledger-store';
import {
  openNote,
  parseCheckpoint,
  TransparencyError,
  type NoteVerifier,
} from '#libs/transparency';

/** A head that our own key has signed, with the proof of it. */
export interface SignedHead extends Head {
  readonly note: string;
}

/** The head of a note, if our own key signed it for our own log; undefined otherwise. */
export function signedHead(note: string, key: NoteVerifier): SignedHead | undefined {
  try {
    const { origin, size, rootHash } = parseCheckpoint(openNote(note, [key]).body);
    return origin === key.name && size > 0n ? { size, root: rootHash, note } : undefined;
  } catch (error) {
    if (error instanceof TransparencyError) return undefined;
    throw error;
  }
}

/** The same for the same head. */
export const nameOf = ({ size, root }: Head): string => `${size} ${root.toString('base64')}`;

/** For logs. */
export const told = ({ size, root }: Head) => ({
  size: size.toString(),
  root: root.toString('base64'),
});

import type { Checkpoints, LogQueries } from '#libs/ledger-store';
import {
  consistencyProof,
  openNote,
  parseCheckpoint,
  TransparencyError,
  verifyConsistency,
  type Checkpoint,
  type NoteVerifier,
} from '#libs/transparency';

export interface OurLog {
  readonly checkpoints: Checkpoints;
  readonly queries: LogQueries;
  readonly key: NoteVerifier;
}

/**
 * Whether this note proves that our key has signed a tree which ours does not contain: a fork, a database that went back in
 * time, or a key in other hands. A witness's word alone proves nothing; our own signature does. Returns the checkpoint.
 */
export async function contradiction(note: string, our: OurLog): Promise<Checkpoint | undefined> {
  const claimed = ours(note, our.key);
  if (claimed === undefined) return undefined;
  // Read after the note: whatever this log has signed was committed before.
  const latest = await our.checkpoints.latest();
  if (latest === undefined || claimed.size > latest.size) return claimed;
  const proof = await consistencyProof(claimed.size, latest.size, our.queries.reader(latest.size));
  const contained = verifyConsistency({
    from: claimed.size,
    to: latest.size,
    fromRoot: claimed.rootHash,
    toRoot: latest.root,
    proof,
  });
  return contained ? undefined : claimed;
}

function ours(note: string, key: NoteVerifier): Checkpoint | undefined {
  try {
    const checkpoint = parseCheckpoint(openNote(note, [key]).body);
    return checkpoint.origin === key.name ? checkpoint : undefined;
  } catch (error) {
    if (error instanceof TransparencyError) return undefined;
    throw error;
  }
}

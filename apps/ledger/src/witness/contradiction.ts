import type { Checkpoints, LogQueries } from '#libs/ledger-store';
import { consistencyProof, verifyConsistency, type NoteVerifier } from '#libs/transparency';
import { signedHead, type SignedHead } from '../checkpoint/signed-head.js';

export interface OurLog {
  readonly checkpoints: Checkpoints;
  readonly queries: LogQueries;
  readonly key: NoteVerifier;
}

/**
 * Whether this note proves that our key has signed a tree which ours does not contain: a fork, a database that went back in
 * time, or a key in other hands. A witness's word alone proves nothing; our own signature does. Returns its head.
 */
export async function contradiction(note: string, our: OurLog): Promise<SignedHead | undefined> {
  const claimed = signedHead(note, our.key);
  if (claimed === undefined) return undefined;
  // Read after the note: whatever this log has signed was committed before.
  const latest = await our.checkpoints.latest();
  if (latest === undefined || claimed.size > latest.size) return claimed;
  const proof = await consistencyProof(claimed.size, latest.size, our.queries.reader(latest.size));
  const contained = verifyConsistency({
    from: claimed.size,
    to: latest.size,
    fromRoot: claimed.root,
    toRoot: latest.root,
    proof,
  });
  return contained ? undefined : claimed;
}

import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/** Entries that are gone, and the leaf of the record that said so before. */
export interface RemovedEntries extends LeafRange {
  readonly recordLeaf: bigint;
  readonly policyDigest: string;
  /** Every one of them was older than this. */
  readonly before: string;
  readonly removedAt: string;
}

/** In the order of their leaves. A range that was recorded twice is told once, by its first record. */
export async function removedEntries(db: Queryable): Promise<readonly RemovedEntries[]> {
  const { rows } = await db.query<{
    first_leaf: string;
    end_leaf: string;
    leaf_index: string;
    policy_digest: string;
    before: Date;
    removed_at: Date;
  }>({
    text: `select distinct on (x.first_leaf)
        x.first_leaf, x.end_leaf, leaf_index, r.policy_digest, r.before, x.removed_at
      from ledger.retention_range x join ledger.retention r using (leaf_index)
      where x.removed_at is not null order by x.first_leaf, leaf_index`,
  });
  return rows.map((r) => ({
    first: BigInt(r.first_leaf),
    end: BigInt(r.end_leaf),
    recordLeaf: BigInt(r.leaf_index),
    policyDigest: r.policy_digest,
    before: r.before.toISOString(),
    removedAt: r.removed_at.toISOString(),
  }));
}

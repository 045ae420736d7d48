import type { RemovedRange } from '#libs/audit-events';
import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/** A partition of the entries that is over: every record in it is older than what was asked. */
export interface AgedPart extends LeafRange {
  readonly range: RemovedRange;
  /** Times of its first and its last leaf, by the log's clock. */
  readonly from: string;
  readonly to: string;
  /** The legal hold that keeps it, where there is one. */
  readonly hold?: string;
}

/** Partitions from that leaf on of which every record is older, oldest first, with the hold that keeps them; what is gone already is none. */
export async function agedParts(
  db: Queryable,
  before: string,
  max: number,
  after = 0n,
): Promise<readonly AgedPart[]> {
  const { rows } = await db.query<{
    first_leaf: string;
    end_leaf: string;
    first_hash: Buffer;
    last_hash: Buffer;
    first_at: Date;
    last_at: Date;
    hold: string | null;
  }>({
    text: `select p.first_leaf, p.end_leaf, a.leaf_hash as first_hash, z.leaf_hash as last_hash,
           a.recorded_at as first_at, z.recorded_at as last_at,
           ledger.hold_over(p.first_leaf, p.end_leaf) as hold
         from ledger.entry_parts() p
         join ledger.leaf a on a.leaf_index = p.first_leaf
         join ledger.leaf z on z.leaf_index = p.end_leaf - 1
         where z.recorded_at < $1 and p.first_leaf >= $3 and not exists (
           select from ledger.leaf l
           where l.leaf_index >= p.first_leaf and l.leaf_index < p.end_leaf and l.recorded_at >= $1)
           and not exists (
             select from ledger.retention_range x
             where x.first_leaf = p.first_leaf and x.end_leaf = p.end_leaf and x.removed_at is not null)
         order by p.first_leaf limit $2`,
    values: [before, max, after.toString()],
  });
  return rows.map((r) => ({
    first: BigInt(r.first_leaf),
    end: BigInt(r.end_leaf),
    range: {
      firstLeaf: r.first_leaf,
      endLeaf: r.end_leaf,
      firstHash: `sha256:${r.first_hash.toString('hex')}`,
      lastHash: `sha256:${r.last_hash.toString('hex')}`,
    },
    from: r.first_at.toISOString(),
    to: r.last_at.toISOString(),
    ...(r.hold !== null && { hold: r.hold }),
  }));
}

/** Ranges that are gone but for records on which others rest, oldest first. */
export async function restParts(db: Queryable): Promise<readonly LeafRange[]> {
  const { rows } = await db.query<{ first_leaf: string; end_leaf: string }>({
    text: `select distinct p.first_leaf, p.end_leaf from ledger.entry_parts() p
      join ledger.retention_range x using (first_leaf, end_leaf)
      where x.removed_at is not null order by p.first_leaf`,
  });
  return rows.map((r) => ({ first: BigInt(r.first_leaf), end: BigInt(r.end_leaf) }));
}

import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/**
 * The leaves below `size` that cover every record that the log took from `from` (inclusive) to `to` (exclusive), RFC 3339.
 * Partitions are read side by side, so that leaves of neighbouring times may lie within it as well. Reads the records of
 * that time in an index and no others; where there are none, an empty range after the newest record from before.
 */
export async function leavesOfTime(
  db: Queryable,
  from: string | undefined,
  to: string | undefined,
  size: bigint,
): Promise<LeafRange> {
  if (from === undefined && to === undefined) return { first: 0n, end: size };
  // Not of the bare column: for that the planner walks the leaves from either end until it meets one.
  const { rows } = await db.query<{ first: string | null; last: string | null }>({
    text: `select min(leaf_index + 0) as first, max(leaf_index + 0) as last from ledger.leaf
      where recorded_at >= coalesce($1::timestamptz, '-infinity')
        and recorded_at < coalesce($2::timestamptz, 'infinity') and leaf_index < $3`,
    values: [from, to, size.toString()],
  });
  const { first, last } = rows[0]!;
  if (first === null || last === null) return emptyAt(db, from, size);
  return {
    first: from === undefined ? 0n : BigInt(first),
    end: to === undefined ? size : BigInt(last) + 1n,
  };
}

async function emptyAt(db: Queryable, from: string | undefined, size: bigint): Promise<LeafRange> {
  const { rows } = await db.query<{ leaf_index: string }>({
    text: `select leaf_index from ledger.leaf
      where recorded_at < coalesce($1::timestamptz, '-infinity') and leaf_index < $2
      order by recorded_at desc, leaf_index desc limit 1`,
    values: [from, size.toString()],
  });
  const at = rows[0] === undefined ? 0n : BigInt(rows[0].leaf_index) + 1n;
  return { first: at, end: at };
}

import { DomainError } from '#libs/kernel';
import { CompactRange, MAX_ENTRY_BYTES } from '#libs/transparency';
import type { Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import type { LedgerStoreErrorCode } from './errors.js';
import type { StatementQueue, Statements } from './statement-queue.js';

/** Binary levels in one level of tiles: 2^8 = 256. */
const TILE_HEIGHT = 8;

export interface Entry {
  readonly index: bigint;
  /** The record's exact bytes. */
  readonly value: Uint8Array;
}

/** The root of a complete subtree of 256^level leaves, level >= 1: one hash of a tile of that level. */
export interface SubtreeHash {
  readonly level: number;
  readonly index: bigint;
  readonly hash: Buffer;
}

/** The tree's row. */
interface TreeState {
  readonly size: string;
  readonly frontier: readonly Buffer[];
}

/** The tree's row, locked until the transaction ends. */
export async function lockTree(client: Statements): Promise<TreeState> {
  const { rows } = await client.query<TreeState>({
    name: 'ledger.lock_tree',
    text: `select size, frontier from ledger.tree_state where ledger_id = ledger.id() for update`,
  });
  return rows[0]!;
}

/** Throws `tree_mismatch` where the frontier does not fit the size. */
export function treeOf({ size, frontier }: TreeState): CompactRange {
  try {
    return new CompactRange(BigInt(size), frontier);
  } catch (cause) {
    throw new DomainError<LedgerStoreErrorCode>(
      'tree_mismatch',
      'the stored frontier is not one of that many leaves',
      { size },
      { cause },
    );
  }
}

/** Appends leaf hashes to the frontier and returns the subtrees that they complete. */
export function extend(tree: CompactRange, leaves: readonly { hash: Buffer }[]): SubtreeHash[] {
  const complete: SubtreeHash[] = [];
  for (const { hash } of leaves)
    tree.append(hash, (level, index, node) => {
      if (level % TILE_HEIGHT === 0)
        complete.push({ level: level / TILE_HEIGHT, index, hash: node });
    });
  return complete;
}

const ENTRY: readonly Column<Entry>[] = [
  { name: 'leaf_index', type: 'int8', of: (e) => e.index },
  { name: 'bytes', type: 'bytea', of: (e) => e.value },
];

/**
 * Keeps the exact bytes of the next leaves, one for each record, and moves the locked tree on. All of it has been said when this
 * returns, and resolves when it is done.
 */
export async function seal(
  queue: StatementQueue,
  tree: CompactRange,
  records: readonly { readonly value: Uint8Array; readonly leafHash: Buffer }[],
): Promise<void> {
  const { size } = tree;
  const entries = records.map(({ value }, i) => ({ index: size + BigInt(i), value }));
  refuseTooLarge(entries);
  const kept = copyRows(queue, 'ledger.entry', ENTRY, entries);
  const complete = extend(
    tree,
    records.map(({ leafHash: hash }) => ({ hash })),
  );
  await Promise.all([kept, insertSubtrees(queue, complete), moveTree(queue, size, tree)]);
}

/** Keeps the exact bytes of leaves, some of which may be there already: those stay as they are. */
export async function insertEntries(client: Statements, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  refuseTooLarge(entries);
  const lengths = entries.map(({ value }) => value.length);
  let end = 0;
  const starts = lengths.map((length) => (end += length) - length + 1);
  await client.query({
    name: 'ledger.insert_entries_some',
    text: `insert into ledger.entry (leaf_index, bytes)
      select leaf, substring($4::bytea from at for length)
      from unnest($1::bigint[], $2::integer[], $3::integer[]) as cut(leaf, at, length) on conflict do nothing`,
    values: [
      entries.map(({ index }) => index.toString()),
      starts,
      lengths,
      Buffer.concat(entries.map(({ value }) => value)),
    ],
  });
}

function refuseTooLarge(entries: readonly Entry[]): void {
  const large = entries.find(({ value }) => value.length > MAX_ENTRY_BYTES);
  if (large !== undefined)
    throw new DomainError<LedgerStoreErrorCode>(
      'entry_too_large',
      `a record has more than the ${MAX_ENTRY_BYTES} bytes of a leaf`,
      { leaf: large.index.toString(), bytes: large.value.length },
    );
}

export async function insertSubtrees(
  client: Statements,
  nodes: readonly SubtreeHash[],
): Promise<void> {
  if (nodes.length === 0) return;
  await client.query({
    name: 'ledger.insert_nodes',
    text: `insert into ledger.node (level, node_index, hash)
      select * from unnest($1::smallint[], $2::bigint[], $3::bytea[])`,
    values: [
      nodes.map((n) => n.level),
      nodes.map((n) => n.index.toString()),
      nodes.map((n) => n.hash),
    ],
  });
}

/** Moves the locked row from `from` leaves to the tree's. */
export async function moveTree(
  client: Statements,
  from: bigint,
  tree: CompactRange,
): Promise<void> {
  const { rowCount } = await client.query({
    name: 'ledger.move_tree',
    text: `update ledger.tree_state set size = $2, frontier = $3::bytea[]
      where ledger_id = ledger.id() and size = $1`,
    values: [from.toString(), tree.size.toString(), tree.hashes],
  });
  if (rowCount !== 1)
    throw new DomainError<LedgerStoreErrorCode>('fence_moved', 'the tree grew under this batch');
}

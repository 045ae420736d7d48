import type { ClientBase } from 'pg';
import { DomainError } from '#libs/kernel';
import {
  CompactRange,
  consistencyProof,
  formatCheckpoint,
  parseCheckpoint,
  TransparencyError,
  verifyConsistency,
  type HashReader,
  type TreeNode,
} from '#libs/transparency';
import type { CheckpointBody } from './checkpoints.js';
import type { LedgerStoreErrorCode } from './errors.js';
import { LogQueries } from './log-queries.js';
import type { Head } from './signed-heads.js';

interface Stored {
  readonly size: bigint;
  readonly frontier: readonly Buffer[];
  /** The body of the largest checkpoint that was ever committed. */
  readonly body: string | null;
}

/** The compact range of the first `size` leaves, read from stored subtrees: one hash for each bit of the size. */
export async function rangeAt(size: bigint, read: HashReader): Promise<CompactRange> {
  const nodes: TreeNode[] = [];
  let start = 0n;
  for (let level = 62; level >= 0; level--) {
    if (((size >> BigInt(level)) & 1n) === 0n) continue;
    nodes.push({ level, index: start >> BigInt(level) });
    start += 1n << BigInt(level);
  }
  return new CompactRange(size, await read(nodes));
}

/**
 * Whether the rows still are the tree that was committed: the frontier follows from the stored hashes, and so does the
 * root of the largest checkpoint. A few queries, whatever the size. Throws `tree_mismatch`.
 */
export async function checkTree(client: ClientBase): Promise<void> {
  const { size, frontier, body } = await stored(client);
  const queries = new LogQueries(client);
  const now = await rangeAt(size, queries.readerInTurn(size)).catch(unreadable);
  if (
    !now.hashes.every((hash, i) => frontier[i]?.equals(hash)) ||
    now.hashes.length !== frontier.length
  )
    throw mismatch();
  if (body === null) return;
  const checkpoint = parseCheckpoint(body);
  if (checkpoint.size > size) throw tooLarge(size, checkpoint.size);
  const then = await rangeAt(checkpoint.size, queries.readerInTurn(checkpoint.size)).catch(
    unreadable,
  );
  if (!then.root().equals(checkpoint.rootHash)) throw mismatch();
}

/**
 * Whether a committed body is what this tree was at that size. Rows may have come from elsewhere than our own hand, and
 * what is signed cannot be taken back. Throws `tree_mismatch`.
 */
export async function checkCommitted(
  client: ClientBase,
  origin: string,
  { size, root, body }: CheckpointBody,
): Promise<void> {
  const read = new LogQueries(client).readerInTurn(size);
  const rootHash = (await rangeAt(size, read).catch(unreadable)).root();
  if (!rootHash.equals(root) || body !== formatCheckpoint({ origin, size, rootHash }))
    throw mismatch();
}

/**
 * The checkpoint of the tree as it stands; undefined where it is empty or has not grown since the last one. Throws
 * `tree_mismatch` where one was committed for a larger tree.
 */
export async function nextCheckpoint(
  client: ClientBase,
  origin: string,
): Promise<CheckpointBody | undefined> {
  const { size, frontier, body } = await stored(client);
  const committed = body === null ? 0n : parseCheckpoint(body).size;
  if (committed > size) throw tooLarge(size, committed);
  if (committed === size) return undefined;
  const root = new CompactRange(size, frontier).root();
  return { size, root, body: formatCheckpoint({ origin, size, rootHash: root }) };
}

/**
 * Whether the tree as it stands contains an earlier head, shown as a witness would demand it: by a proof from that head to
 * the root that would be signed now. `behind`: the tree is smaller, nothing can be said yet.
 */
export async function treeHolds(
  client: ClientBase,
  { size, root }: Head,
): Promise<'held' | 'behind' | 'contradicted'> {
  const now = await stored(client);
  if (now.size < size) return 'behind';
  const read = new LogQueries(client).readerInTurn(now.size);
  const proof = await consistencyProof(size, now.size, read).catch(unreadable);
  const toRoot = new CompactRange(now.size, now.frontier).root();
  return verifyConsistency({ from: size, to: now.size, fromRoot: root, toRoot, proof })
    ? 'held'
    : 'contradicted';
}

async function stored(client: ClientBase): Promise<Stored> {
  const { rows } = await client.query<{ size: string; frontier: Buffer[]; body: string | null }>({
    name: 'ledger.stored_tree',
    text: `select t.size, t.frontier, (
        select c.body from ledger.checkpoint c where c.ledger_id = t.ledger_id order by c.size desc limit 1) as body
      from ledger.tree_state t where t.ledger_id = ledger.id()`,
  });
  const { size, frontier, body } = rows[0]!;
  return { size: BigInt(size), frontier, body };
}

/** Rows that are missing or misshapen; a lost connection says nothing of the tree. */
function unreadable(error: unknown): never {
  if (error instanceof RangeError || error instanceof TransparencyError) throw mismatch(error);
  throw error;
}

const tooLarge = (size: bigint, checkpoint: bigint): DomainError =>
  new DomainError<LedgerStoreErrorCode>(
    'tree_mismatch',
    'a checkpoint was committed for a larger tree than this one',
    { size: size.toString(), checkpoint: checkpoint.toString() },
  );

function mismatch(cause?: unknown): DomainError {
  return new DomainError<LedgerStoreErrorCode>(
    'tree_mismatch',
    'the stored hashes do not give the root that was committed',
    {},
    { cause },
  );
}

import { foldRight } from './compact-range.js';
import { MAX_PROOF_HASHES, isSize } from './encoding.js';
import { TransparencyError } from './errors.js';
import { EMPTY_ROOT, isHash, nodeHash, sameHash } from './hash.js';

/** A complete subtree of 2^level leaves, the index-th of its level. */
export interface TreeNode {
  readonly level: number;
  readonly index: bigint;
}

/** Reads the hashes of complete subtrees, in the order asked. It need not be trusted: a wrong proof fails at its verifier. */
export type HashReader = (nodes: readonly TreeNode[]) => Promise<readonly Buffer[]>;

export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly index: bigint;
  readonly size: bigint;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

export interface ConsistencyClaim {
  readonly from: bigint;
  readonly to: bigint;
  readonly fromRoot: Uint8Array;
  readonly toRoot: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** RFC 6962 section 2.1.1. Throws invalid_index unless 0 <= index < size. */
export async function inclusionProof(
  index: bigint,
  size: bigint,
  read: HashReader,
): Promise<Buffer[]> {
  if (!isSize(size) || !isSize(index) || index >= size)
    throw new TransparencyError('invalid_index', 'the index must lie within the tree');
  const siblings: Range[] = [];
  for (let start = 0n, end = size; end - start > 1n;) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      siblings.push({ start: middle, end });
      end = middle;
    } else {
      siblings.push({ start, end: middle });
      start = middle;
    }
  }
  return hashesOf(siblings.reverse(), read);
}

/** RFC 6962 section 2.1.2. Empty for from = 0 and from = to. Throws invalid_size unless 0 <= from <= to. */
export async function consistencyProof(
  from: bigint,
  to: bigint,
  read: HashReader,
): Promise<Buffer[]> {
  if (!isSize(from) || !isSize(to) || from > to)
    throw new TransparencyError('invalid_size', 'a tree can only be consistent with a larger one');
  if (from === 0n || from === to) return [];
  const ranges: Range[] = [];
  let start = 0n;
  let end = to;
  while (end !== from) {
    const middle = start + splitOf(end - start);
    if (from <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // Where the old tree is itself a complete subtree of the new one, its root is already known to the verifier.
  if (start > 0n) ranges.push({ start, end });
  return hashesOf(ranges.reverse(), read);
}

/**
 * Whether the proof leads from the leaf to the root (RFC 9162 section 2.1.3.2). Total: false for anything malformed.
 * A path does not bind the tree's size by itself: take `size` and `root` from one verified checkpoint.
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { leafHash, index, size, root, proof } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (!isHash(leafHash) || !isHash(root) || !areHashes(proof)) return false;
  let node = index;
  let last = size - 1n;
  let hash = leafHash;
  for (const sibling of proof) {
    if (last === 0n) return false;
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(node) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = nodeHash(hash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n && sameHash(hash, root);
}

/**
 * Whether the tree of `to` leaves begins with the tree of `from` leaves (RFC 9162 section 2.1.4.2). Total.
 * Every tree begins with the empty one, whose root is fixed.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { from, to, fromRoot, toRoot, proof } = claim;
  if (!isSize(from) || !isSize(to) || from > to) return false;
  if (!isHash(fromRoot) || !isHash(toRoot) || !areHashes(proof)) return false;
  if (from === 0n && !sameHash(fromRoot, EMPTY_ROOT)) return false;
  if (from === to) return proof.length === 0 && sameHash(fromRoot, toRoot);
  if (from === 0n) return proof.length === 0;

  let node = from - 1n;
  let last = to - 1n;
  while (isOdd(node)) {
    node >>= 1n;
    last >>= 1n;
  }
  // A complete subtree (from is a power of two) is its own first hash.
  const path = node === 0n ? [fromRoot, ...proof] : proof;
  const first = path[0];
  if (first === undefined) return false;
  let oldHash: Uint8Array = first;
  let newHash: Uint8Array = first;
  for (const sibling of path.slice(1)) {
    if (last === 0n) return false;
    if (isOdd(node) || node === last) {
      oldHash = nodeHash(sibling, oldHash);
      newHash = nodeHash(sibling, newHash);
      while (!isOdd(node) && node !== 0n) {
        node >>= 1n;
        last >>= 1n;
      }
    } else {
      newHash = nodeHash(newHash, sibling);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n && sameHash(oldHash, fromRoot) && sameHash(newHash, toRoot);
}

/** Largest power of two below `count` (at least 2). */
function splitOf(count: bigint): bigint {
  return 1n << BigInt((count - 1n).toString(2).length - 1);
}

const isOdd = (value: bigint): boolean => (value & 1n) === 1n;

const areHashes = (proof: unknown): proof is readonly Uint8Array[] =>
  Array.isArray(proof) && proof.length <= MAX_PROOF_HASHES && proof.every(isHash);

/** One reading for the whole proof, so that a reader can fetch its tiles together. */
async function hashesOf(ranges: readonly Range[], read: HashReader): Promise<Buffer[]> {
  const parts = ranges.map(completeNodes);
  const hashes = await read(parts.flat());
  if (hashes.length !== parts.flat().length || !hashes.every(isHash))
    throw new TransparencyError('invalid_hash', 'the reader did not give the hashes asked for');
  let at = 0;
  return parts.map((nodes) => foldRight(hashes.slice(at, (at += nodes.length))));
}

/** The complete subtrees that make up a range of a proof, largest first. Its start is aligned to its largest. */
function completeNodes({ start, end }: Range): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = start; at < end;) {
    const level = (end - at).toString(2).length - 1;
    nodes.push({ level, index: at >> BigInt(level) });
    at += 1n << BigInt(level);
  }
  return nodes;
}

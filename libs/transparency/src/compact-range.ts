import { MAX_SIZE, isSize } from './encoding.js';
import { TransparencyError } from './errors.js';
import { EMPTY_ROOT, isHash, nodeHash } from './hash.js';

/** Called for every completed subtree: `level` counts binary levels (leaves are 0), `index` within the level. */
export type OnNode = (level: number, index: bigint, hash: Buffer) => void;

/**
 * The frontier of an append-only tree: the roots of its complete subtrees, largest (leftmost) first, one for
 * each bit that is set in `size`. At most 63 hashes, whatever the tree's size; enough to append and to give the root.
 */
export class CompactRange {
  #size: bigint;
  #hashes: Buffer[];

  /** Continues a stored frontier. Throws invalid_size or invalid_hash if the two do not fit each other. */
  constructor(size = 0n, hashes: readonly Buffer[] = []) {
    if (!isSize(size))
      throw new TransparencyError('invalid_size', 'a tree has 0 to 2^63 - 1 leaves');
    if (hashes.length !== ones(size))
      throw new TransparencyError(
        'invalid_size',
        'a frontier has one hash for each bit set in its size',
      );
    if (!hashes.every(isHash)) throw new TransparencyError('invalid_hash', 'a hash has 32 bytes');
    this.#size = size;
    this.#hashes = hashes.map((hash) => Buffer.from(hash));
  }

  get size(): bigint {
    return this.#size;
  }

  /** Largest subtree first. */
  get hashes(): readonly Buffer[] {
    return [...this.#hashes];
  }

  /** Adds one leaf. Nothing is changed when it throws (invalid_hash, invalid_size, or what `onNode` throws). */
  append(leafHash: Buffer, onNode?: OnNode): void {
    if (!isHash(leafHash)) throw new TransparencyError('invalid_hash', 'a hash has 32 bytes');
    if (this.#size === MAX_SIZE) throw new TransparencyError('invalid_size', 'the tree is full');
    let kept = this.#hashes.length;
    let node: Buffer = leafHash;
    let index = this.#size;
    for (let level = 1; (index & 1n) === 1n; level++) {
      kept--;
      node = nodeHash(this.#hashes[kept]!, node);
      index >>= 1n;
      onNode?.(level, index, node);
    }
    this.#hashes.length = kept;
    this.#hashes.push(node === leafHash ? Buffer.from(leafHash) : node);
    this.#size += 1n;
  }

  /** The Merkle tree hash of everything appended so far. */
  root(): Buffer {
    return this.#hashes.length === 0 ? EMPTY_ROOT : foldRight(this.#hashes);
  }

  clone(): CompactRange {
    return new CompactRange(this.#size, this.#hashes);
  }
}

/** Joins the roots of adjacent complete subtrees, largest first, into the root of the subtree that they make up. */
export function foldRight(hashes: readonly Buffer[]): Buffer {
  return hashes.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), hashes.at(-1)!);
}

function ones(value: bigint): number {
  let count = 0;
  for (let rest = value; rest > 0n; rest &= rest - 1n) count++;
  return count;
}

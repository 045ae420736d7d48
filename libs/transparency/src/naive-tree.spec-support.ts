import { createHash } from 'node:crypto';
import type { HashReader, TreeNode } from './proof.js';

/** What a verifier meets on its way up: a sibling on either side, or (consistency) the hash that it starts from. */
export type Step = 'left' | 'right' | 'seed' | 'old root';

/**
 * RFC 6962 section 2.1 word for word: recursive, slow, nothing shared with the code under test but SHA-256 itself.
 * Subtrees are kept once computed, or 45,000 proofs would take minutes.
 */
export class NaiveTree {
  readonly leaves: readonly Buffer[];
  readonly #known = new Map<string, Buffer>();

  constructor(count: number) {
    this.leaves = Array.from({ length: count }, (_, index) => Buffer.from(`entry ${index}`));
  }

  /** MTH(D[start:end]). */
  root(end: number, start = 0): Buffer {
    const key = `${start}:${end}`;
    const known = this.#known.get(key);
    if (known) return known;
    const hash = this.#compute(start, end);
    this.#known.set(key, hash);
    return hash;
  }

  /** PATH(index, D[start:end]). */
  path(index: number, end: number, start = 0): Buffer[] {
    if (end - start === 1) return [];
    const middle = start + split(end - start);
    return index < middle
      ? [...this.path(index, middle, start), this.root(end, middle)]
      : [...this.path(index, end, middle), this.root(middle, start)];
  }

  /** PROOF(from, D[0:to]). */
  consistency(from: number, to: number): Buffer[] {
    return from === 0 ? [] : this.#subproof(from, 0, to, true);
  }

  /** Serves complete subtrees of a tree of `size` leaves, and nothing else. */
  reader(size: number): HashReader {
    return (nodes) => Promise.resolve(nodes.map((node) => this.#complete(node, size)));
  }

  #complete({ level, index }: TreeNode, size: number): Buffer {
    const start = Number(index) * 2 ** level;
    const end = start + 2 ** level;
    if (end > size) throw new Error(`node ${level}/${index} is not complete at size ${size}`);
    return this.root(end, start);
  }

  #compute(start: number, end: number): Buffer {
    if (end === start) return createHash('sha256').digest();
    if (end - start === 1)
      return createHash('sha256').update('\x00').update(this.leaves[start]!).digest();
    const middle = start + split(end - start);
    return createHash('sha256')
      .update('\x01')
      .update(this.root(middle, start))
      .update(this.root(end, middle))
      .digest();
  }

  #subproof(from: number, start: number, end: number, isOldRoot: boolean): Buffer[] {
    if (from === end) return isOldRoot ? [] : [this.root(end, start)];
    const middle = start + split(end - start);
    return from <= middle
      ? [...this.#subproof(from, start, middle, isOldRoot), this.root(end, middle)]
      : [...this.#subproof(from, middle, end, false), this.root(middle, start)];
  }
}

/** The steps of PATH. Two places with the same steps have interchangeable proofs: the path alone cannot tell them apart. */
export function inclusionSteps(index: bigint, size: bigint): Step[] | undefined {
  if (index >= size) return undefined;
  const steps: Step[] = [];
  for (let start = 0n, end = size; end - start > 1n;) {
    const middle = start + splitBig(end - start);
    if (index < middle) end = middle;
    else start = middle;
    steps.unshift(end === middle ? 'right' : 'left');
  }
  return steps;
}

/** The steps of PROOF, beginning with what the verifier starts from. */
export function consistencySteps(from: bigint, to: bigint): Step[] | undefined {
  if (from === 0n || from >= to) return undefined;
  const steps: Step[] = [];
  let start = 0n;
  for (let end = to; end !== from;) {
    const middle = start + splitBig(end - start);
    if (from <= middle) end = middle;
    else start = middle;
    steps.unshift(end === middle ? 'right' : 'left');
  }
  return [start === 0n ? 'old root' : 'seed', ...steps];
}

/** k of RFC 6962: the largest power of two below n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function splitBig(n: bigint): bigint {
  let k = 1n;
  while (k * 2n < n) k *= 2n;
  return k;
}

/** A small generator with a fixed seed (Numerical Recipes' constants): samples are the same on each run. */
export function sampler(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** A copy with one bit turned. */
export function flipped(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

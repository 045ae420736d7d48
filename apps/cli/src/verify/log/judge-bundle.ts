import { leafHash, MAX_ENTRY_BYTES } from '#libs/transparency';
import type { Findings } from '../report.js';
import { hashAt, type HashedBundle } from './fast-hash.js';

/** Leaves whose entries are others' or nobody's, kept until all are known: beyond these each is called altered. */
const KEPT_MAX = 100_000;
/** Broken bundles that an entry is looked for in: each takes seconds where it is made for that. */
const SEARCHED_MAX = 8;

interface Mismatch {
  readonly file: string;
  readonly leaf: number;
  readonly expected: string;
  readonly found: string;
}

/**
 * Tells what was done to an entry bundle that does not have the hashes of its tile. Whether an entry was altered or
 * moved shows only when all bundles have been seen: it was moved when its hash belongs to another of these leaves.
 */
export class BundleJudge {
  readonly #kept: Mismatch[] = [];
  #searched = 0;

  constructor(private readonly findings: Findings) {}

  /** `bundle` is undefined where the file is missing; `authentic` are the leaf hashes by the tree. */
  judge(
    file: string,
    firstLeaf: number,
    bundle: { readonly bytes: Buffer; readonly hashed: HashedBundle } | undefined,
    authentic: Buffer,
  ): void {
    const width = authentic.length / 32;
    if (bundle === undefined) {
      const message = `the entries of ${width} leaves are missing`;
      this.findings.fault('removed', placeOf(file, firstLeaf), message);
      return;
    }
    const { bytes, hashed } = bundle;
    const at = firstDifference(hashed, authentic, width);
    if (at === width) {
      this.findings.fault(
        'altered',
        { file },
        `${bytes.length - hashed.starts[width]! + 2} bytes too many`,
      );
      return;
    }
    const leaf = firstLeaf + at;
    if (isMissing(hashed, authentic, at, width)) {
      this.findings.fault('removed', placeOf(file, leaf), 'the entry is missing');
      return;
    }
    if (hashed.count === width && hashed.rest === 0) {
      this.#keep(file, firstLeaf, hashed, authentic);
      return;
    }
    const start = hashed.starts[at]!;
    // The bytes end within an entry: cut off, unless the entry is there in full under another length.
    const isCut =
      at === hashed.count &&
      (this.#searched++ >= SEARCHED_MAX || !hidesEntry(bytes, start, hashAt(authentic, at)));
    if (isCut)
      this.findings.fault('removed', placeOf(file, leaf), 'the bundle ends within this entry');
    else this.findings.fault('altered', placeOf(file, leaf), 'the entry or its length was changed');
  }

  /** Call once, when every bundle has been judged. */
  finish(): void {
    const elsewhere = new Set(this.#kept.map((m) => m.expected));
    for (const { file, leaf, found } of this.#kept)
      if (elsewhere.has(found))
        this.findings.fault('reordered', placeOf(file, leaf), 'the entry of another leaf is here');
      else this.#altered(file, leaf);
  }

  #keep(file: string, firstLeaf: number, hashed: HashedBundle, authentic: Buffer): void {
    for (let at = 0; at < hashed.count; at++) {
      const expected = hashAt(authentic, at);
      const found = hashAt(hashed.hashes, at);
      if (expected.equals(found)) continue;
      const leaf = firstLeaf + at;
      if (this.#kept.length >= KEPT_MAX) this.#altered(file, leaf);
      else
        this.#kept.push({
          file,
          leaf,
          expected: expected.toString('latin1'),
          found: found.toString('latin1'),
        });
    }
  }

  #altered(file: string, leaf: number): void {
    this.findings.fault('altered', placeOf(file, leaf), 'the entry does not have its leaf’s hash');
  }
}

const placeOf = (file: string, leaf: number) => ({ file, leafIndex: leaf.toString() });

function firstDifference({ hashes, count }: HashedBundle, authentic: Buffer, width: number) {
  let at = 0;
  while (at < Math.min(count, width) && hashAt(hashes, at).equals(hashAt(authentic, at))) at += 1;
  return at;
}

/** Fewer entries, all of them in order: or, from `at` on, each the next one's. */
function isMissing(hashed: HashedBundle, authentic: Buffer, at: number, width: number): boolean {
  const { hashes, count, rest } = hashed;
  if (rest > 0) return false;
  if (count < width) {
    let from = at;
    for (let i = at; i < count; i++) {
      while (from < width && !hashAt(hashes, i).equals(hashAt(authentic, from))) from += 1;
      if (from === width) return false;
      from += 1;
    }
    return true;
  }
  if (at >= width - 1) return false;
  for (let i = at; i < width - 1; i++)
    if (!hashAt(hashes, i).equals(hashAt(authentic, i + 1))) return false;
  return true;
}

/** Whether some stretch from `start` on has that leaf hash. Only for the one entry that a broken bundle stops at. */
function hidesEntry(bytes: Buffer, start: number, expected: Buffer): boolean {
  for (let end = Math.min(bytes.length, start + MAX_ENTRY_BYTES); end >= start; end--)
    if (leafHash(bytes.subarray(start, end)).equals(expected)) return true;
  return false;
}

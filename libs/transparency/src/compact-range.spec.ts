import { describe, expect, test } from '@jest/globals';
import { CompactRange } from './compact-range.js';
import { TransparencyError } from './errors.js';
import { EMPTY_ROOT } from './hash.js';
import { NaiveTree } from './naive-tree.spec-support.js';

const LEAVES = 300;
const tree = new NaiveTree(LEAVES);
const leaf = (index: number): Buffer => tree.root(index + 1, index);

test('the root after each append is that of RFC 6962, and each completed node is named once', () => {
  const range = new CompactRange();
  const seen = new Set<string>();
  expect(range.root()).toEqual(EMPTY_ROOT);
  for (let size = 1; size <= LEAVES; size++) {
    range.append(leaf(size - 1), (level, index, hash) => {
      const place = `${level}/${index}`;
      expect(seen.has(place)).toBe(false);
      seen.add(place);
      const start = Number(index) * 2 ** level;
      expect(hash).toEqual(tree.root(start + 2 ** level, start));
    });
    expect(range.size).toBe(BigInt(size));
    expect(range.root()).toEqual(tree.root(size));
  }
  const complete = Array.from({ length: 8 }, (_, at) => Math.floor(LEAVES / 2 ** (at + 1)));
  expect(seen.size).toBe(complete.reduce((a, b) => a + b, 0));
});

test('a stored frontier continues where it stopped, and a clone goes its own way', () => {
  for (const stop of [0, 1, 7, 8, 127, 256, 299]) {
    const first = new CompactRange();
    for (let index = 0; index < stop; index++) first.append(leaf(index));
    const second = new CompactRange(first.size, first.hashes);
    const third = first.clone();
    for (let index = stop; index < LEAVES; index++) second.append(leaf(index));
    expect(second.root()).toEqual(tree.root(LEAVES));
    third.append(leaf(0));
    expect(first.root()).toEqual(tree.root(stop));
  }
});

test('the frontier is not shared with its owner', () => {
  const hash = Buffer.from(leaf(0));
  const range = new CompactRange();
  range.append(hash);
  const given = range.hashes.map((known) => Buffer.from(known));
  const copy = new CompactRange(1n, given);
  hash.fill(0);
  given[0]!.fill(0);
  expect(range.root()).toEqual(tree.root(1));
  expect(copy.root()).toEqual(tree.root(1));
});

test('an append that fails leaves the range as it was', () => {
  const range = new CompactRange();
  for (let index = 0; index < 3; index++) range.append(leaf(index));
  expect(() =>
    range.append(leaf(3), () => {
      throw new Error('the database said no');
    }),
  ).toThrow('the database said no');
  expect(range.size).toBe(3n);
  range.append(leaf(3));
  expect(range.root()).toEqual(tree.root(4));
});

describe('refuses', () => {
  const code = (act: () => unknown): string => {
    try {
      act();
      return 'none';
    } catch (error) {
      return error instanceof TransparencyError ? error.code : 'other';
    }
  };
  const hashes = (count: number) => Array.from({ length: count }, () => Buffer.alloc(32));

  test.each([
    [-1n, 0],
    [1n << 63n, 1],
    [1n, 0],
    [3n, 1],
    [4n, 2],
    [0n, 1],
  ])('a frontier of size %s with %s hashes', (size, count) => {
    expect(code(() => new CompactRange(size, hashes(count)))).toBe('invalid_size');
  });

  test('a hash of another length, and a leaf beyond 2^63 - 1', () => {
    expect(code(() => new CompactRange(1n, [Buffer.alloc(31)]))).toBe('invalid_hash');
    expect(code(() => new CompactRange().append(Buffer.alloc(33)))).toBe('invalid_hash');
    const full = new CompactRange((1n << 63n) - 1n, hashes(63));
    expect(code(() => full.append(Buffer.alloc(32)))).toBe('invalid_size');
    const almost = new CompactRange((1n << 63n) - 2n, hashes(62));
    almost.append(Buffer.alloc(32));
    expect(almost.hashes).toHaveLength(63);
  });
});

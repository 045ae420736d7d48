import { describe, expect, test } from '@jest/globals';
import { TransparencyError } from './errors.js';
import { NaiveTree, sampler } from './naive-tree.spec-support.js';
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proof.js';
import { nodeHash } from './hash.js';

const LEAVES = 300;
const tree = new NaiveTree(LEAVES);
const MAX_SIZE = (1n << 63n) - 1n;

test('every inclusion proof up to 300 leaves is that of RFC 6962 and verifies', async () => {
  let proofs = 0;
  for (let size = 1; size <= LEAVES; size++) {
    const read = tree.reader(size);
    const root = tree.root(size);
    for (let index = 0; index < size; index++) {
      const proof = await inclusionProof(BigInt(index), BigInt(size), read);
      const expected = tree.path(index, size);
      if (!Buffer.concat(proof).equals(Buffer.concat(expected))) expect(proof).toEqual(expected);
      const claim = {
        leafHash: tree.root(index + 1, index),
        index: BigInt(index),
        size: BigInt(size),
        root,
        proof,
      };
      if (!verifyInclusion(claim)) throw new Error(`leaf ${index} of ${size} does not verify`);
      proofs++;
    }
  }
  expect(proofs).toBe((LEAVES * (LEAVES + 1)) / 2);
});

test('every consistency proof up to 300 leaves is that of RFC 6962 and verifies', async () => {
  let proofs = 0;
  for (let to = 0; to <= LEAVES; to++) {
    const read = tree.reader(to);
    for (let from = 0; from <= to; from++) {
      const proof = await consistencyProof(BigInt(from), BigInt(to), read);
      const expected = tree.consistency(from, to);
      if (!Buffer.concat(proof).equals(Buffer.concat(expected))) expect(proof).toEqual(expected);
      const claim = {
        from: BigInt(from),
        to: BigInt(to),
        fromRoot: tree.root(from),
        toRoot: tree.root(to),
        proof,
      };
      if (!verifyConsistency(claim)) throw new Error(`${from} to ${to} does not verify`);
      proofs++;
    }
  }
  expect(proofs).toBe(((LEAVES + 1) * (LEAVES + 2)) / 2);
});

describe('a proof has one length', () => {
  const next = sampler(11);
  const places = Array.from({ length: 200 }, () => {
    const size = 2 + next(LEAVES - 1);
    return { size, index: next(size), from: 1 + next(size - 1) };
  });

  test.each(['inclusion', 'consistency'] as const)('%s', (kind) => {
    for (const { size, index, from } of places) {
      const proof = kind === 'inclusion' ? tree.path(index, size) : tree.consistency(from, size);
      const accepts = (changed: readonly Uint8Array[]) =>
        kind === 'inclusion'
          ? verifyInclusion({
              leafHash: tree.root(index + 1, index),
              index: BigInt(index),
              size: BigInt(size),
              root: tree.root(size),
              proof: changed,
            })
          : verifyConsistency({
              from: BigInt(from),
              to: BigInt(size),
              fromRoot: tree.root(from),
              toRoot: tree.root(size),
              proof: changed,
            });
      expect(accepts(proof)).toBe(true);
      const other = tree.root(1);
      const changes = [
        proof.slice(1),
        proof.slice(0, -1),
        [],
        [...proof, other],
        [other, ...proof],
        [...proof, tree.root(size)],
        [...proof, proof.at(-1)!],
        [...proof, Buffer.alloc(0)],
        [Buffer.alloc(0), ...proof],
        [...proof.slice(0, -1), proof.at(-1)!.subarray(1)],
        [...proof.slice(0, -1), Buffer.concat([proof.at(-1)!, Buffer.alloc(1)])],
      ];
      const accepted = changes.filter(accepts);
      if (accepted.length > 0)
        throw new Error(`${kind} ${index}/${from} of ${size}: ${accepted.length} changes accepted`);
    }
  });
});

describe('at the edge of 2^63 - 1 leaves', () => {
  // No such tree can be built; its right border can: the last leaf's siblings are made up, and its root follows.
  const siblings = Array.from({ length: 63 }, (_, at) => Buffer.alloc(32, at + 1));
  const leafHash = Buffer.alloc(32, 0xaa);
  const fromTheRight = (hashes: readonly Buffer[]) =>
    hashes.reduce((hash, sibling) => nodeHash(sibling, hash), leafHash);
  const fromTheLeft = (hashes: readonly Buffer[]) =>
    hashes.reduce((hash, sibling) => nodeHash(hash, sibling), leafHash);

  test('the last leaf has 62 siblings, the first has 63', () => {
    const proof = siblings.slice(0, 62);
    const root = fromTheRight(proof);
    const claim = { leafHash, index: MAX_SIZE - 1n, size: MAX_SIZE, root, proof };
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusion({ ...claim, index: MAX_SIZE - 2n })).toBe(false);
    const first = {
      leafHash,
      index: 0n,
      size: MAX_SIZE,
      root: fromTheLeft(siblings),
      proof: siblings,
    };
    expect(verifyInclusion(first)).toBe(true);
    expect(verifyInclusion({ ...first, index: 1n })).toBe(false);
  });

  test('larger sizes and longer proofs are refused, not computed', () => {
    const proof = [...siblings, Buffer.alloc(32, 0xbb)];
    const claim = { leafHash, index: 0n, size: 1n << 63n, root: fromTheLeft(proof), proof };
    expect(verifyInclusion(claim)).toBe(false);
    expect(verifyInclusion({ ...claim, size: 1n << 64n })).toBe(false);
    expect(
      verifyConsistency({
        from: 1n,
        to: 1n << 63n,
        fromRoot: leafHash,
        toRoot: fromTheLeft(siblings),
        proof: siblings,
      }),
    ).toBe(false);
    expect(
      verifyConsistency({
        from: 1n,
        to: MAX_SIZE,
        fromRoot: leafHash,
        toRoot: fromTheLeft(siblings),
        proof: siblings,
      }),
    ).toBe(true);
  });
});

test('nonsense is false, never an exception', () => {
  const hash = tree.root(1);
  const bad: unknown[] = [-1n, 1, 1.5, '1', null, undefined, 1n << 63n];
  for (const value of bad) {
    const size = value as bigint;
    expect(verifyInclusion({ leafHash: hash, index: 0n, size, root: hash, proof: [] })).toBe(false);
    expect(verifyInclusion({ leafHash: hash, index: size, size: 1n, root: hash, proof: [] })).toBe(
      false,
    );
    const roots = { fromRoot: hash, toRoot: hash, proof: [] };
    expect(verifyConsistency({ from: size, to: 1n, ...roots })).toBe(false);
    expect(verifyConsistency({ from: 1n, to: size, ...roots })).toBe(false);
  }
  for (const value of [null, undefined, 'x', hash.subarray(1), Buffer.alloc(0)]) {
    const root = value as Buffer;
    expect(verifyInclusion({ leafHash: hash, index: 0n, size: 1n, root, proof: [] })).toBe(false);
    expect(verifyInclusion({ leafHash: root, index: 0n, size: 1n, root: hash, proof: [] })).toBe(
      false,
    );
    const proof = value as unknown as Buffer[];
    if (!Buffer.isBuffer(value))
      expect(verifyInclusion({ leafHash: hash, index: 0n, size: 1n, root: hash, proof })).toBe(
        false,
      );
  }
  expect(verifyInclusion({ leafHash: hash, index: 0n, size: 0n, root: hash, proof: [] })).toBe(
    false,
  );
  const grown = { from: 0n, to: 5n, toRoot: tree.root(5), proof: [] };
  expect(verifyConsistency({ ...grown, fromRoot: tree.root(0) })).toBe(true);
  expect(verifyConsistency({ ...grown, fromRoot: hash })).toBe(false);
  expect(verifyConsistency({ from: 0n, to: 0n, fromRoot: hash, toRoot: hash, proof: [] })).toBe(
    false,
  );
});

test('a proof of what is not in the tree cannot be asked for', async () => {
  const read = tree.reader(8);
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'none',
      (error: unknown) => (error instanceof TransparencyError ? error.code : 'other'),
    );
  expect(await code(inclusionProof(8n, 8n, read))).toBe('invalid_index');
  expect(await code(inclusionProof(-1n, 8n, read))).toBe('invalid_index');
  expect(await code(inclusionProof(0n, 0n, read))).toBe('invalid_index');
  expect(await code(consistencyProof(9n, 8n, read))).toBe('invalid_size');
  expect(await code(consistencyProof(1n, 1n << 63n, read))).toBe('invalid_size');
  expect(await code(inclusionProof(0n, 8n, () => Promise.resolve([])))).toBe('invalid_hash');
});

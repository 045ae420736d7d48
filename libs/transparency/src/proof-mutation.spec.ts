import { expect, test } from '@jest/globals';
import {
  NaiveTree,
  consistencySteps,
  flipped,
  inclusionSteps,
  sampler,
} from './naive-tree.spec-support.js';
import { verifyConsistency, verifyInclusion } from './proof.js';
import type { ConsistencyClaim, InclusionClaim } from './proof.js';

const HASH_BITS = 256;
const SIZE_BITS = 64;
const tree = new NaiveTree(300);

/** Small enough that each bit of each hash of each proof can be turned. */
const EXHAUSTIVE_SIZES = 12;

/** Places sampled in larger trees, each with one bit of each part turned. */
const SAMPLES = 400;

function inclusionClaim(index: number, size: number): InclusionClaim {
  return {
    leafHash: tree.root(index + 1, index),
    index: BigInt(index),
    size: BigInt(size),
    root: tree.root(size),
    proof: tree.path(index, size),
  };
}

function consistencyClaim(from: number, to: number): ConsistencyClaim {
  return {
    from: BigInt(from),
    to: BigInt(to),
    fromRoot: tree.root(from),
    toRoot: tree.root(to),
    proof: tree.consistency(from, to),
  };
}

const turned = (value: bigint, bit: number): bigint => value ^ (1n << BigInt(bit));
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const withHash = (proof: readonly Uint8Array[], at: number, bit: number) =>
  proof.map((hash, other) => (other === at ? flipped(hash, bit) : hash));

/** Every hash of the claim with that bit turned must be refused, and so must the index. */
function refusesInclusion(claim: InclusionClaim, hashBit: number, sizeBit: number): void {
  const { index, size, proof } = claim;
  const refused = [
    { ...claim, leafHash: flipped(claim.leafHash, hashBit) },
    { ...claim, root: flipped(claim.root, hashBit) },
    ...proof.map((_, at) => ({ ...claim, proof: withHash(proof, at, hashBit) })),
    { ...claim, index: turned(index, sizeBit) },
  ];
  const accepted = refused.findIndex(verifyInclusion);
  if (accepted >= 0)
    throw new Error(`${index} of ${size}: mutation ${accepted} of bits ${hashBit}/${sizeBit}`);
  // RFC 6962 paths do not bind the size: it is refused exactly when another path leads to this leaf in that size.
  const other = turned(size, sizeBit);
  const mayPass =
    same(inclusionSteps(index, size), inclusionSteps(index, other)) && other < 1n << 63n;
  if (verifyInclusion({ ...claim, size: other }) !== mayPass)
    throw new Error(`${index} of ${size} taken for ${other}: expected ${mayPass}`);
}

function refusesConsistency(claim: ConsistencyClaim, hashBit: number, sizeBit: number): void {
  const { from, to, proof } = claim;
  const refused = [
    { ...claim, fromRoot: flipped(claim.fromRoot, hashBit) },
    { ...claim, toRoot: flipped(claim.toRoot, hashBit) },
    ...proof.map((_, at) => ({ ...claim, proof: withHash(proof, at, hashBit) })),
  ];
  const accepted = refused.findIndex(verifyConsistency);
  if (accepted >= 0) throw new Error(`${from} to ${to}: mutation ${accepted} of bit ${hashBit}`);
  for (const [otherFrom, otherTo] of [
    [turned(from, sizeBit), to],
    [from, turned(to, sizeBit)],
  ] as const) {
    const mayPass =
      otherTo < 1n << 63n &&
      same(consistencySteps(from, to), consistencySteps(otherFrom, otherTo)) &&
      otherFrom < otherTo;
    if (verifyConsistency({ ...claim, from: otherFrom, to: otherTo }) !== mayPass)
      throw new Error(`${from} to ${to} taken for ${otherFrom} to ${otherTo}: expected ${mayPass}`);
  }
}

test('inclusion: each single bit of each part, in every tree up to 12 leaves', () => {
  let claims = 0;
  for (let size = 1; size <= EXHAUSTIVE_SIZES; size++)
    for (let index = 0; index < size; index++) {
      const claim = inclusionClaim(index, size);
      expect(verifyInclusion(claim)).toBe(true);
      for (let bit = 0; bit < HASH_BITS; bit++) refusesInclusion(claim, bit, bit % SIZE_BITS);
      claims++;
    }
  expect(claims).toBe(78);
});

test('consistency: each single bit of each part, between all sizes up to 12', () => {
  let claims = 0;
  for (let to = 2; to <= EXHAUSTIVE_SIZES; to++)
    for (let from = 1; from < to; from++) {
      const claim = consistencyClaim(from, to);
      expect(verifyConsistency(claim)).toBe(true);
      for (let bit = 0; bit < HASH_BITS; bit++) refusesConsistency(claim, bit, bit % SIZE_BITS);
      claims++;
    }
  expect(claims).toBe(66);
});

test('a sample of single bits in trees up to 300 leaves', () => {
  const next = sampler(4);
  for (let sample = 0; sample < SAMPLES; sample++) {
    const size = 2 + next(299);
    refusesInclusion(inclusionClaim(next(size), size), next(HASH_BITS), next(SIZE_BITS));
    refusesConsistency(
      consistencyClaim(1 + next(size - 1), size),
      next(HASH_BITS),
      next(SIZE_BITS),
    );
  }
  expect.assertions(0);
});

test('two leaves exchanged: neither proves the place of the other', () => {
  for (let size = 2; size <= 40; size++)
    for (let index = 1; index < size; index++) {
      const claim = inclusionClaim(index, size);
      expect(verifyInclusion({ ...claim, leafHash: tree.root(1) })).toBe(false);
      expect(verifyInclusion({ ...claim, index: claim.index - 1n })).toBe(false);
    }
});

test('what the path alone does not bind, and why sizes come from a checkpoint', () => {
  // The first leaf of three and of four has a sibling leaf and a sibling subtree to the right, in both cases.
  const claim = inclusionClaim(0, 3);
  expect(verifyInclusion({ ...claim, size: 4n })).toBe(true);
  expect(verifyInclusion({ ...claim, size: 5n })).toBe(false);
});

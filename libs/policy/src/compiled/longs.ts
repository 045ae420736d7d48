// Arithmetic of Cedar's 64-bit integers. Overflow is a fault, as it is in Cedar.
import { FAULT } from './values.js';
import type { Long } from './values.js';

const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

/** The one form of a value: a number where it is safe. Throws FAULT outside 64 bits. */
export function long(exact: bigint): Long {
  if (exact > MAX || exact < MIN) throw FAULT;
  const near = Number(exact);
  return Number.isSafeInteger(near) ? near : exact;
}

type Operation = (a: Long, b: Long) => Long;

/** Numbers where the result is safe, else once more in bigint. */
const exactly =
  (fast: (a: number, b: number) => number, slow: (a: bigint, b: bigint) => bigint): Operation =>
  (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      const result = fast(a, b);
      if (Number.isSafeInteger(result)) return result;
    }
    return long(slow(BigInt(a), BigInt(b)));
  };

export const add: Operation = exactly(
  (a, b) => a + b,
  (a, b) => a + b,
);
export const subtract: Operation = exactly(
  (a, b) => a - b,
  (a, b) => a - b,
);
export const multiply: Operation = exactly(
  (a, b) => a * b,
  (a, b) => a * b,
);

/** Towards zero. */
export const divide = (a: Long, by: number): Long => long(BigInt(a) / BigInt(by));

/** Towards minus infinity, to a multiple of `by`. */
export function floorTo(a: Long, by: number): Long {
  return subtract(a, remainder(a, by));
}

/** Never negative. */
export function remainder(a: Long, by: number): Long {
  const step = BigInt(by);
  return long(((BigInt(a) % step) + step) % step);
}

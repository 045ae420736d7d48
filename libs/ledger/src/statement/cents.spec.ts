import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatCents, PICO_USD_PER_CENT, roundToCents } from './cents.js';

const half = PICO_USD_PER_CENT / 2n;

describe('rounding to cents', () => {
  it.each([
    [0n, 0n],
    [half - 1n, 0n],
    [half, 0n],
    [half + 1n, 1n],
    [PICO_USD_PER_CENT + half - 1n, 1n],
    [PICO_USD_PER_CENT + half, 2n],
    [2n * PICO_USD_PER_CENT + half, 2n],
    [3n * PICO_USD_PER_CENT + half, 4n],
    [-half, 0n],
    [-half - 1n, -1n],
    [-PICO_USD_PER_CENT - half, -2n],
  ])('%s pico-USD are %s cents', (amount, cents) => {
    expect(roundToCents(amount)).toBe(cents);
  });

  it('is never further off than half a cent, and even where it is exactly that', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (amount) => {
        const cents = roundToCents(amount);
        const off = amount - cents * PICO_USD_PER_CENT;
        expect(off <= half && -off <= half).toBe(true);
        if (off === half || off === -half) expect(cents % 2n).toBe(0n);
        expect(roundToCents(-amount)).toBe(-cents);
      }),
    );
  });

  it('is written with two decimals', () => {
    expect([0n, 5n, -5n, 123n, -12345n].map(formatCents)).toEqual([
      '0.00',
      '0.05',
      '-0.05',
      '1.23',
      '-123.45',
    ]);
  });
});

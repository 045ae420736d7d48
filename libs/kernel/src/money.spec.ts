import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatUsd, usdNumber } from './index.js';

describe('usdNumber', () => {
  it('property: is the number that the exact decimal reads as', () => {
    const amount = fc.oneof(
      fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
      fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
    );
    fc.assert(
      fc.property(amount, (picoUsd) => {
        expect(usdNumber(picoUsd)).toBe(Number(formatUsd(picoUsd)));
      }),
    );
  });
});

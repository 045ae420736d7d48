import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { priceFromUsdPerMillion } from './price-from-usd.js';

const pico = (value: number | string): bigint => priceFromUsdPerMillion(value).picoUsdPerToken;

describe('priceFromUsdPerMillion', () => {
  it.each([
    [0, 0n],
    [0.0028, 2_800n],
    [0.15, 150_000n],
    ['0.15', 150_000n],
    [1, 1_000_000n],
    [600, 600_000_000n],
    [37.5, 37_500_000n],
    [0.286705, 286_705n],
    [1e-6, 1n],
    ['1e-6', 1n],
    [1e6, 1_000_000_000_000n],
  ])('%s USD per million is %s pico-USD per token, exactly', (usd, expected) => {
    expect(priceFromUsdPerMillion(usd)).toEqual({
      picoUsdPerToken: expected,
      roundedSubPico: false,
    });
  });

  it.each([
    [0.30000000000000004, 300_000n],
    [0.1 + 0.2, 300_000n],
    [0.049999999999999996, 50_000n],
    [0.8299999999999998, 830_000n],
    [14.993999999999998, 14_994_000n],
    [30.004999999999995, 30_005_000n],
    [0.7999999999999999, 800_000n],
  ])('takes %s for float noise: %s, no flag', (usd, expected) => {
    expect(priceFromUsdPerMillion(usd)).toEqual({
      picoUsdPerToken: expected,
      roundedSubPico: false,
    });
  });

  it.each([
    [0.700000007, 700_000n],
    [0.25599999, 256_000n],
    [0.08333333333333334, 83_333n],
    [1e-7, 0n],
    ['0.0000005', 0n],
    ['0.0000015', 2n],
    ['0.0000025', 2n],
    ['0.00000250000001', 3n],
  ])('rounds the real sub-pico price %s half-even to %s and flags it', (usd, expected) => {
    expect(priceFromUsdPerMillion(usd)).toEqual({
      picoUsdPerToken: expected,
      roundedSubPico: true,
    });
  });

  it('removes noise before it looks for a tie', () => {
    expect(pico('0.0000005000000000000001')).toBe(0n);
  });

  it.each(['', '-1', 'NaN', '1,5', '.5', '5.', '0x10', ' 1', '1e9999', '9'.repeat(80)])(
    'refuses %j',
    (value) => {
      expect(() => priceFromUsdPerMillion(value)).toThrow(
        expect.objectContaining({ code: 'price-invalid' }),
      );
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -0.1, 1_000_001])('refuses %s', (value) => {
    expect(() => priceFromUsdPerMillion(value)).toThrow(
      expect.objectContaining({ code: 'price-invalid' }),
    );
  });

  it('gives back every pico amount that a double names, whatever arithmetic did to its last digits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.constantFrom(3, 7, 10, 0.1),
        (n, factor) => {
          const noisy = ((n / 1e6) * factor) / factor;
          expect(pico(noisy)).toBe(BigInt(n));
        },
      ),
    );
  });
});

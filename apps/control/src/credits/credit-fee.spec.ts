import { describe, expect, it } from '@jest/globals';
import { parseUsd } from '#libs/kernel';
import { DEFAULT_CREDIT_FEE, feeFor } from './credit-fee.js';

describe('the fee on a purchase of credit', () => {
  it.each([
    ['5.00', '0.80'],
    ['14.54', '0.80'],
    ['14.55', '0.80'],
    ['15.00', '0.82'],
    ['100.00', '5.50'],
    ['123.45', '6.79'],
    ['1000000.00', '55000.00'],
  ])('of USD %s is USD %s: 5.5 %%, at least 0.80, in whole cents', (amount, fee) => {
    expect(feeFor(parseUsd(amount), DEFAULT_CREDIT_FEE)).toBe(parseUsd(fee));
  });

  it('rounds half a cent to the even one', () => {
    const fee = { basisPoints: 50, minimumPicoUsd: 0n };
    expect(feeFor(parseUsd('1.00'), fee)).toBe(parseUsd('0.00'));
    expect(feeFor(parseUsd('3.00'), fee)).toBe(parseUsd('0.02'));
    expect(feeFor(parseUsd('5.00'), fee)).toBe(parseUsd('0.02'));
  });

  it('can be none', () => {
    expect(feeFor(parseUsd('10.00'), { basisPoints: 0, minimumPicoUsd: 0n })).toBe(0n);
  });
});

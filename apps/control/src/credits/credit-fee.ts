import { z } from 'zod';
import { parseUsd, PICO_USD_PER_USD, type PicoUsd } from '#libs/kernel';

/** What a purchase of credit costs beside the credit. */
export interface CreditFee {
  /** Hundredths of a percent of the amount. */
  readonly basisPoints: number;
  readonly minimumPicoUsd: PicoUsd;
}

/** 5.5 %, and at least USD 0.80. */
export const DEFAULT_CREDIT_FEE: CreditFee = {
  basisPoints: 550,
  minimumPicoUsd: 800_000_000_000n,
};

/** Settings of whoever runs control. */
export const creditFeeVariables = {
  CUSTOS_CREDIT_FEE_BASIS_POINTS: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(DEFAULT_CREDIT_FEE.basisPoints),
  CUSTOS_CREDIT_FEE_MINIMUM_USD: z
    .string()
    .regex(/^\d{1,6}(\.\d{1,2})?$/, 'expected USD as a decimal, at most 2 decimals')
    .default('0.80'),
};

export const creditFeeOf = (settings: {
  readonly CUSTOS_CREDIT_FEE_BASIS_POINTS: number;
  readonly CUSTOS_CREDIT_FEE_MINIMUM_USD: string;
}): CreditFee => ({
  basisPoints: settings.CUSTOS_CREDIT_FEE_BASIS_POINTS,
  minimumPicoUsd: parseUsd(settings.CUSTOS_CREDIT_FEE_MINIMUM_USD),
});

const PICO_USD_PER_CENT = PICO_USD_PER_USD / 100n;
const BASIS_POINTS = 10_000n;

/** The share of the amount, in whole cents (half-even, as money is paid), and never less than the minimum. */
export function feeFor(amountPicoUsd: PicoUsd, fee: CreditFee): PicoUsd {
  const divisor = PICO_USD_PER_CENT * BASIS_POINTS;
  const share = amountPicoUsd * BigInt(fee.basisPoints);
  const [cents, rest] = [share / divisor, (share % divisor) * 2n];
  const up = rest > divisor || (rest === divisor && cents % 2n === 1n);
  const rounded = (up ? cents + 1n : cents) * PICO_USD_PER_CENT;
  return rounded > fee.minimumPicoUsd ? rounded : fee.minimumPicoUsd;
}

import { PICO_USD_PER_USD, type PicoUsd } from '#libs/kernel';

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

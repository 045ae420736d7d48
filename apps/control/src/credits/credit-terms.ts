import { z } from 'zod';
import { parseUsd, type PicoUsd } from '#libs/kernel';
import { DEFAULT_CREDIT_FEE, type CreditFee } from './credit-fee.js';

/** What credit costs, and how much of it needs nobody's second look. */
export interface CreditTerms {
  readonly fee: CreditFee;
  /**
   * What single persons may give together in 24 hours, over all organisations: so that it is not given in slices, nor by
   * making one more organisation or key. What goes beyond takes a second person; 0 = always.
   */
  readonly alonePicoUsdPerDay: PicoUsd;
}

export const DEFAULT_CREDIT_TERMS: CreditTerms = {
  fee: DEFAULT_CREDIT_FEE,
  alonePicoUsdPerDay: 100_000_000_000_000n,
};

const usd = () =>
  z.string().regex(/^\d{1,6}(\.\d{1,2})?$/, 'expected USD as a decimal, at most 2 decimals');

/** Settings of whoever runs control. */
export const creditVariables = {
  CUSTOS_CREDIT_FEE_BASIS_POINTS: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(DEFAULT_CREDIT_FEE.basisPoints),
  CUSTOS_CREDIT_FEE_MINIMUM_USD: usd().default('0.80'),
  CUSTOS_CREDIT_ALONE_DAILY_USD: usd().default('100'),
};

export const creditTermsOf = (settings: {
  readonly CUSTOS_CREDIT_FEE_BASIS_POINTS: number;
  readonly CUSTOS_CREDIT_FEE_MINIMUM_USD: string;
  readonly CUSTOS_CREDIT_ALONE_DAILY_USD: string;
}): CreditTerms => ({
  fee: {
    basisPoints: settings.CUSTOS_CREDIT_FEE_BASIS_POINTS,
    minimumPicoUsd: parseUsd(settings.CUSTOS_CREDIT_FEE_MINIMUM_USD),
  },
  alonePicoUsdPerDay: parseUsd(settings.CUSTOS_CREDIT_ALONE_DAILY_USD),
});

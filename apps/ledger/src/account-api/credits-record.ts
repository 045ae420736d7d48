import { usdNumber } from '#libs/kernel';

/** OpenRouter's shape: everything ever bought and everything ever used by the caller's organisation, in USD. */
export const creditsRecord = (boughtPicoUsd: bigint, usedPicoUsd: bigint) => ({
  data: { total_credits: usdNumber(boughtPicoUsd), total_usage: usdNumber(usedPicoUsd) },
});

import { usdNumber } from '#libs/kernel';
import type { CreditAccount } from '#libs/ledger-store';

/**
 * OpenRouter's shape, in USD, of the caller's organisation: what was bought and not given back, and what of it is spent. What an invoice asks
 * for was not paid out of credit; what is held for running requests and refunds is spoken for. So the one less the other is what
 * admission still allows.
 */
export const creditsRecord = ({
  boughtPicoUsd,
  refundedPicoUsd,
  usedPicoUsd,
  heldPicoUsd,
}: CreditAccount) => ({
  data: {
    total_credits: usdNumber(boughtPicoUsd - refundedPicoUsd),
    total_usage: usdNumber(usedPicoUsd + heldPicoUsd),
  },
});

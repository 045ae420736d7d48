import type { CostDiffered } from '#libs/audit-events';

/**
 * How far a provider's own cost figure may be from ours without a word: a hundredth of the larger, for what they round
 * and convert, and at least a millionth of a dollar, below which they do not count.
 */
const TOLERATED_PARTS_PER_MILLION = 10_000n;
const TOLERATED_PICO_USD = 1_000_000n;

/** One attempt's two figures, further apart than tolerated. */
export type CostDifference = Omit<CostDiffered, 'generationId' | 'causeEventId'>;

/** True where the two say the same as far as we care; a figure of ours that is missing is never the same. */
export function costsAgree(computedPicoUsd: bigint | undefined, reportedPicoUsd: bigint): boolean {
  if (computedPicoUsd === undefined) return reportedPicoUsd === 0n;
  const apart =
    computedPicoUsd > reportedPicoUsd
      ? computedPicoUsd - reportedPicoUsd
      : reportedPicoUsd - computedPicoUsd;
  const larger = computedPicoUsd > reportedPicoUsd ? computedPicoUsd : reportedPicoUsd;
  const share = (larger * TOLERATED_PARTS_PER_MILLION) / 1_000_000n;
  return apart <= (share > TOLERATED_PICO_USD ? share : TOLERATED_PICO_USD);
}

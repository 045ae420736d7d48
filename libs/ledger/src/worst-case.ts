import type { Price } from '#libs/catalog';
import type { FlatPrice } from './rate.js';

export interface WorstCase {
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
  /** What the input can hold besides text; absent = anything. Outputs likewise. */
  readonly inputModalities?: readonly string[];
  readonly outputModalities?: readonly string[];
  /** Calls that the provider may make itself and charge apart; absent = none. */
  readonly toolCallsMax?: number;
}

const dearest = (a: bigint, ...others: readonly (bigint | undefined)[]): bigint =>
  others.reduce<bigint>((max, p) => (p !== undefined && p > max ? p : max), a);

function ceilingAt(price: FlatPrice, inputTokens: number, bound: WorstCase): bigint {
  const { inputModalities: takes, outputModalities: gives } = bound;
  const input = dearest(
    price.inputPicoUsdPerToken,
    price.cacheReadPicoUsdPerToken,
    price.cacheWritePicoUsdPerToken,
    price.cacheWrite1hPicoUsdPerToken,
    takes?.includes('image') === false ? undefined : price.inputImagePicoUsdPerToken,
    takes?.includes('audio') === false ? undefined : price.inputAudioPicoUsdPerToken,
  );
  const output = dearest(
    price.outputPicoUsdPerToken,
    price.reasoningPicoUsdPerToken,
    gives?.includes('image') === false ? undefined : price.outputImagePicoUsdPerToken,
    gives?.includes('audio') === false ? undefined : price.outputAudioPicoUsdPerToken,
  );
  const call = dearest(0n, ...Object.values(price.toolCallPicoUsd ?? {}));
  return (
    BigInt(inputTokens) * input +
    BigInt(bound.outputTokensMax) * output +
    BigInt(bound.toolCallsMax ?? 0) * call +
    (price.requestPicoUsd ?? 0n)
  );
}

/**
 * The most that a request within these bounds can cost, pico-USD: every token in its dearest class, every call of the
 * dearest tool, in whichever tier comes out highest. What ingress holds before dispatch. Counts are non-negative integers.
 */
export function worstCaseCost(price: Price, bound: WorstCase): bigint {
  let highest = 0n;
  let flat: FlatPrice = price;
  for (const tier of price.tiers ?? []) {
    if (bound.inputTokensMax <= tier.aboveInputTokens) break;
    highest = dearest(highest, ceilingAt(flat, tier.aboveInputTokens, bound));
    flat = tier.price;
  }
  return dearest(highest, ceilingAt(flat, bound.inputTokensMax, bound));
}

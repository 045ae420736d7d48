import type { UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';

export type TokenClass =
  'input' | 'cache_read' | 'cache_write' | 'output' | 'reasoning' | 'request';

export interface RatedLine {
  readonly class: TokenClass;
  /** Tokens of this class; 1 for `request`. */
  readonly tokens: number;
  readonly pricePicoUsdPerToken: bigint;
  readonly amountPicoUsd: bigint;
}

export interface RatedAmount {
  readonly totalPicoUsd: bigint;
  /** Only classes that were used; their amounts add up to the total. */
  readonly lines: readonly RatedLine[];
}

/**
 * More tokens than any request can have (a hundred times the largest context): who reports more reports nonsense, and
 * a posting has 63 bits, so that one such amount would stop the books.
 */
const TOKENS_MAX = 100_000_000;

type FlatPrice = Omit<Price, 'tiers' | 'flags'>;

/** The price in force for a request of that many input tokens: the last tier it exceeds, else the base. */
function priceInForce(price: Price, inputTokens: number): FlatPrice {
  let inForce: FlatPrice = price;
  if (price.tiers !== undefined)
    for (const tier of price.tiers) {
      if (inputTokens <= tier.aboveInputTokens) break;
      inForce = tier.price;
    }
  return inForce;
}

/**
 * What a usage costs, in integer pico-USD: tokens × price, so nothing is ever rounded here.
 *
 * Cache reads and writes are parts of the input, reasoning is a part of the output: each token is charged once, in its
 * own class. A class without its own price is charged as plain input or output (never as free). Where a provider's
 * parts exceed their whole, the parts are charged as reported and the rest is zero. Throws RangeError on a count that
 * is not an integer from 0 to TOKENS_MAX: such a record is quarantined, not billed.
 */
export function rate(usage: UsageData, price: Price): RatedAmount {
  const inForce = priceInForce(price, usage.inputTokens);
  const cacheRead = usage.cacheReadTokens ?? 0;
  const cacheWrite = usage.cacheWriteTokens ?? 0;
  const reasoning = usage.reasoningTokens ?? 0;
  const { inputPicoUsdPerToken: input, outputPicoUsdPerToken: output } = inForce;
  const lines: RatedLine[] = [];
  let total = 0n;
  const charge = (kind: TokenClass, tokens: number, pricePicoUsdPerToken: bigint): void => {
    if (!Number.isSafeInteger(tokens) || tokens < 0 || tokens > TOKENS_MAX)
      throw new RangeError(`bad count of ${kind}`);
    if (tokens === 0) return;
    const amountPicoUsd = BigInt(tokens) * pricePicoUsdPerToken;
    total += amountPicoUsd;
    lines.push({ class: kind, tokens, pricePicoUsdPerToken, amountPicoUsd });
  };
  charge('input', rest(usage.inputTokens, cacheRead + cacheWrite), input);
  charge('cache_read', cacheRead, inForce.cacheReadPicoUsdPerToken ?? input);
  charge('cache_write', cacheWrite, inForce.cacheWritePicoUsdPerToken ?? input);
  charge('output', rest(usage.outputTokens, reasoning), output);
  charge('reasoning', reasoning, inForce.reasoningPicoUsdPerToken ?? output);
  if (inForce.requestPicoUsd !== undefined && inForce.requestPicoUsd > 0n)
    charge('request', 1, inForce.requestPicoUsd);
  return { totalPicoUsd: total, lines };
}

/** Whole less parts, at least 0; a whole that is itself no count stays as it is, so that `charge` refuses it. */
const rest = (whole: number, parts: number): number =>
  Number.isSafeInteger(whole) && whole >= 0 ? Math.max(0, whole - parts) : whole;

export interface WorstCase {
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
}

const dearest = (a: bigint, ...others: readonly (bigint | undefined)[]): bigint =>
  others.reduce<bigint>((max, p) => (p !== undefined && p > max ? p : max), a);

function ceilingAt(price: FlatPrice, inputTokens: number, outputTokens: number): bigint {
  const input = dearest(
    price.inputPicoUsdPerToken,
    price.cacheReadPicoUsdPerToken,
    price.cacheWritePicoUsdPerToken,
  );
  const output = dearest(price.outputPicoUsdPerToken, price.reasoningPicoUsdPerToken);
  return BigInt(inputTokens) * input + BigInt(outputTokens) * output + (price.requestPicoUsd ?? 0n);
}

/**
 * The most that a request within these token counts can cost, pico-USD: every token in its dearest class, in whichever
 * tier comes out highest. What ingress holds before dispatch. Counts are non-negative integers.
 */
export function worstCaseCost(price: Price, bound: WorstCase): bigint {
  const { inputTokensMax, outputTokensMax } = bound;
  let highest = 0n;
  let flat: FlatPrice = price;
  for (const tier of price.tiers ?? []) {
    if (inputTokensMax <= tier.aboveInputTokens) break;
    highest = dearest(highest, ceilingAt(flat, tier.aboveInputTokens, outputTokensMax));
    flat = tier.price;
  }
  return dearest(highest, ceilingAt(flat, inputTokensMax, outputTokensMax));
}

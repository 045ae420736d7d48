import type { UsageData } from '#libs/audit-events';
import type { Price } from '#libs/catalog';

export type TokenClass =
  | 'input'
  | 'cache_read'
  | 'cache_write'
  | 'cache_write_1h'
  | 'input_image'
  | 'input_audio'
  | 'output'
  | 'reasoning'
  | 'output_image'
  | 'output_audio'
  | 'request'
  | `tool:${string}`;

export interface RatedLine {
  readonly class: TokenClass;
  /** Tokens of this class; calls of a `tool:…`; 1 for `request`. */
  readonly tokens: number;
  readonly pricePicoUsdPerToken: bigint;
  readonly amountPicoUsd: bigint;
}

export interface RatedAmount {
  readonly totalPicoUsd: bigint;
  /** Only classes that were used; their amounts add up to the total. */
  readonly lines: readonly RatedLine[];
  /** Tools that were called and have no price: nothing could be charged for their calls. */
  readonly unpricedTools: readonly string[];
}

/**
 * More tokens than any request can have (a hundred times the largest context): who reports more reports nonsense, and
 * a posting has 63 bits, so that one such amount would stop the books.
 */
const TOKENS_MAX = 100_000_000;

/** A price without its tiers: what is in force for one request. */
export type FlatPrice = Omit<Price, 'tiers' | 'flags'>;

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
 * Cache reads and writes, images and audio are parts of the input; reasoning, images and audio parts of the output:
 * each token is charged once, in its own class. A class without its own price is charged as the class around it (a
 * write for an hour as any write), in the end as plain input or output, never as free. Where a provider's parts exceed
 * their whole, the parts are charged as reported and the rest is zero. A tool's calls have nothing around them: without
 * a price they are named and not charged. Throws RangeError on a count that is not an integer from 0 to TOKENS_MAX:
 * such a record is quarantined, not billed.
 */
export function rate(usage: UsageData, price: Price): RatedAmount {
  const p = priceInForce(price, usage.inputTokens);
  const { inputPicoUsdPerToken: input, outputPicoUsdPerToken: output } = p;
  const cacheRead = usage.cacheReadTokens ?? 0;
  const cacheWrite1h = usage.cacheWrite1hTokens ?? 0;
  const cacheWrite = rest(usage.cacheWriteTokens ?? 0, cacheWrite1h);
  const inputImage = usage.inputImageTokens ?? 0;
  const inputAudio = usage.inputAudioTokens ?? 0;
  const reasoning = usage.reasoningTokens ?? 0;
  const outputImage = usage.outputImageTokens ?? 0;
  const outputAudio = usage.outputAudioTokens ?? 0;
  const inputParts = cacheRead + cacheWrite + cacheWrite1h + inputImage + inputAudio;
  const outputParts = reasoning + outputImage + outputAudio;

  const bill = new Bill();
  bill.charge('input', rest(usage.inputTokens, inputParts), input);
  bill.charge('cache_read', cacheRead, p.cacheReadPicoUsdPerToken ?? input);
  const write = p.cacheWritePicoUsdPerToken ?? input;
  bill.charge('cache_write', cacheWrite, write);
  bill.charge('cache_write_1h', cacheWrite1h, p.cacheWrite1hPicoUsdPerToken ?? write);
  bill.charge('input_image', inputImage, p.inputImagePicoUsdPerToken ?? input);
  bill.charge('input_audio', inputAudio, p.inputAudioPicoUsdPerToken ?? input);
  bill.charge('output', rest(usage.outputTokens, outputParts), output);
  bill.charge('reasoning', reasoning, p.reasoningPicoUsdPerToken ?? output);
  bill.charge('output_image', outputImage, p.outputImagePicoUsdPerToken ?? output);
  bill.charge('output_audio', outputAudio, p.outputAudioPicoUsdPerToken ?? output);
  if (p.requestPicoUsd !== undefined && p.requestPicoUsd > 0n)
    bill.charge('request', 1, p.requestPicoUsd);
  const unpricedTools: string[] = [];
  for (const tool of Object.keys(usage.toolCalls ?? {}).sort()) {
    const calls = usage.toolCalls?.[tool] ?? 0;
    const each = ownAmount(p.toolCallPicoUsd, tool);
    if (each === undefined && calls > 0) unpricedTools.push(tool);
    bill.charge(`tool:${tool}`, calls, each ?? 0n, each !== undefined);
  }
  return { totalPicoUsd: bill.total, lines: bill.lines, unpricedTools };
}

class Bill {
  readonly lines: RatedLine[] = [];
  total = 0n;

  charge(kind: TokenClass, tokens: number, pricePicoUsdPerToken: bigint, priced = true): void {
    if (!Number.isSafeInteger(tokens) || tokens < 0 || tokens > TOKENS_MAX)
      throw new RangeError(`bad count of ${kind}`);
    if (tokens === 0 || !priced) return;
    const amountPicoUsd = BigInt(tokens) * pricePicoUsdPerToken;
    this.total += amountPicoUsd;
    this.lines.push({ class: kind, tokens, pricePicoUsdPerToken, amountPicoUsd });
  }
}

/** Whole less parts, at least 0; a whole that is itself no count stays as it is, so that `charge` refuses it. */
const rest = (whole: number, parts: number): number =>
  Number.isSafeInteger(whole) && whole >= 0 ? Math.max(0, whole - parts) : whole;

/** The name comes from a record: what every object has by birth is no price. */
const ownAmount = (
  amounts: Readonly<Record<string, bigint>> | undefined,
  tool: string,
): bigint | undefined =>
  amounts !== undefined && Object.hasOwn(amounts, tool) ? amounts[tool] : undefined;

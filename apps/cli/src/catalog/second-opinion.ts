import { priceFromUsdPerMillion } from '#libs/catalog';
import type { Catalog, Price } from '#libs/catalog';
import type {
  ModelPrice,
  PriceCalculationResult,
  PriceOptions,
  Usage,
} from '@pydantic/genai-prices';

/** Our provider ids → theirs, where both mean the same seller and the same prices. */
const SAME_SELLER: Readonly<Record<string, string>> = {
  'amazon-bedrock': 'aws',
  anthropic: 'anthropic',
  azure: 'azure',
  baseten: 'baseten',
  cerebras: 'cerebras',
  'cloudflare-workers-ai': 'cloudflare',
  cohere: 'cohere',
  deepseek: 'deepseek',
  'fireworks-ai': 'fireworks',
  google: 'google',
  'google-vertex': 'google',
  groq: 'groq',
  minimax: 'minimax',
  mistral: 'mistral',
  moonshotai: 'moonshotai',
  'novita-ai': 'novita',
  openai: 'openai',
  openrouter: 'openrouter',
  ovhcloud: 'ovhcloud',
  perplexity: 'perplexity',
  togetherai: 'together',
  xai: 'x-ai',
  zai: 'zai',
  zhipuai: 'zhipuai',
};

/** Whether the other catalog has this provider's prices too. */
export const knownToBoth = (providerId: string): boolean => Object.hasOwn(SAME_SELLER, providerId);

/** Rates compared: ours and the other's name of the same class. */
const CLASSES = [
  ['input', 'inputPicoUsdPerToken', 'input_mtok'],
  ['output', 'outputPicoUsdPerToken', 'output_mtok'],
  ['cacheRead', 'cacheReadPicoUsdPerToken', 'cache_read_mtok'],
  ['cacheWrite', 'cacheWritePicoUsdPerToken', 'cache_write_mtok'],
] as const satisfies readonly (readonly [string, keyof Price, string])[];

export interface PriceDifference {
  readonly endpoint: string;
  readonly rate: (typeof CLASSES)[number][0];
  /** Integer pico-USD per token, as decimal strings. */
  readonly oursPicoUsdPerToken: string;
  readonly theirsPicoUsdPerToken: string;
}

export interface Comparison {
  /** Endpoints that both price. */
  readonly compared: number;
  /** Endpoints of a shared seller that only we price. */
  readonly unknownToThem: number;
  readonly differences: readonly PriceDifference[];
}

type CalcPrice = (usage: Usage, model: string, options: PriceOptions) => PriceCalculationResult;

/**
 * Lays our base rates beside the other catalog's, for the sellers both know. A class that one side does not state is
 * not a difference; a tier above a context size is not compared. `at` chooses among their dated prices.
 */
export function compareWithSecondOpinion(
  catalog: Catalog,
  calcPrice: CalcPrice,
  at: Date,
  onlyProvider?: string,
): Comparison {
  const differences: PriceDifference[] = [];
  let compared = 0;
  let unknownToThem = 0;
  for (const endpoint of catalog.endpoints) {
    const seller = Object.hasOwn(SAME_SELLER, endpoint.providerId)
      ? SAME_SELLER[endpoint.providerId]
      : undefined;
    if (seller === undefined || endpoint.price === undefined) continue;
    if (onlyProvider !== undefined && endpoint.providerId !== onlyProvider) continue;
    const theirs = modelPrice(calcPrice, endpoint.upstreamModel, seller, at);
    if (theirs === undefined) {
      unknownToThem += 1;
      continue;
    }
    compared += 1;
    for (const [rate, ours, other] of CLASSES) {
      const ourRate = endpoint.price[ours];
      const theirRate = baseRate(theirs[other]);
      if (ourRate === undefined || theirRate === undefined || ourRate === theirRate) continue;
      differences.push({
        endpoint: endpoint.id,
        rate,
        oursPicoUsdPerToken: ourRate.toString(),
        theirsPicoUsdPerToken: theirRate.toString(),
      });
    }
  }
  return { compared, unknownToThem, differences };
}

function modelPrice(
  calcPrice: CalcPrice,
  model: string,
  providerId: string,
  timestamp: Date,
): ModelPrice | undefined {
  const found = calcPrice({ input_tokens: 1, output_tokens: 1 }, model, { providerId, timestamp });
  return found?.model_price;
}

const baseRate = (rate: ModelPrice[string]): bigint | undefined => {
  const usdPerMillion = typeof rate === 'object' ? rate.base : rate;
  return usdPerMillion === undefined
    ? undefined
    : priceFromUsdPerMillion(usdPerMillion).picoUsdPerToken;
};

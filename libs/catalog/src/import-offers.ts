import { endpointIdOf } from './endpoint-id.js';
import type { EndpointRecord } from './catalog-format.js';
import type { ProviderReview } from './import-providers.js';
import { BEDROCK_REGION } from './normalise-name.js';
import { exclusionOf } from './not-chat.js';
import type { Exclusion } from './not-chat.js';
import { priceToJson } from './price-book.js';
import { priceFromUsdPerMillion } from './price-from-usd.js';
import type { SourceOffer, Sources } from './source-models-dev.js';
import type { Price, PriceTier } from './types.js';

/** An offer that chats, with its output modalities: an offer without any of its own has those of its base. */
export interface ChatOffer {
  readonly offer: SourceOffer;
  readonly out: readonly string[];
}

/** An offer that is in the catalog, with its place in it. */
export interface PlacedOffer {
  readonly offer: SourceOffer;
  readonly record: EndpointRecord;
  readonly listed: boolean;
}

export function chatOffersOf(sources: Sources): {
  readonly chat: readonly ChatOffer[];
  readonly excluded: Record<Exclusion, number>;
} {
  const bases = new Map(sources.models.map((model) => [model.id, model]));
  const excluded: Record<Exclusion, number> = {
    'no-text-output': 0,
    'no-text-input': 0,
    'not-a-chat-model': 0,
    'chooses-models-itself': 0,
    'limits-unknown': 0,
  };
  const chat: ChatOffer[] = [];
  for (const offer of sources.offers) {
    const base = offer.baseModel === undefined ? undefined : bases.get(offer.baseModel);
    const out = offer.out ?? base?.out ?? [];
    const exclusion = exclusionOf({ ...offer, out });
    if (exclusion === undefined) chat.push({ offer, out });
    else excluded[exclusion] += 1;
  }
  return { chat, excluded };
}

export function endpointRecord(
  offer: SourceOffer,
  out: readonly string[],
  model: string,
  reviewed: ProviderReview | undefined,
): EndpointRecord {
  const region = regionOf(offer);
  const contract = contractOf(offer.provider, reviewed);
  const providerModel =
    offer.provider === 'amazon-bedrock' ? offer.id.replace(BEDROCK_REGION, '') : offer.id;
  const price = priceOf(offer);
  return {
    id: endpointIdOf({ providerId: offer.provider, providerModel, region, contract }),
    model,
    provider: offer.provider,
    upstream: offer.id,
    region,
    contract,
    context: offer.context,
    ...(offer.maxInput === undefined || offer.maxInput === 0 ? {} : { maxInput: offer.maxInput }),
    maxOutput: offer.maxOutput,
    in: [...offer.in].toSorted(),
    out: [...out].toSorted(),
    tools: offer.tools,
    reasoning: offer.reasoning,
    ...(offer.structured === undefined ? {} : { structured: offer.structured }),
    ...(offer.status === undefined ? {} : { status: offer.status }),
    ...(price === undefined ? {} : { price: priceToJson(price) }),
  };
}

/** Hints stand in ids only: Bedrock's prefix, and `cn` as a word of the provider's id for mainland-China sites. */
function regionOf({ provider, id }: SourceOffer): string {
  if (provider === 'amazon-bedrock') return BEDROCK_REGION.exec(id)?.[1] ?? 'regional';
  return provider.split('-').includes('cn') ? 'cn' : 'global';
}

function contractOf(provider: string, reviewed: ProviderReview | undefined): string {
  return (
    reviewed?.contract ??
    (/-(?:coding|token)-plan(?:-|$)/.test(provider) ? 'subscription' : 'default')
  );
}

function priceOf(offer: SourceOffer): Price | undefined {
  if (offer.price === undefined) return undefined;
  let rounded = false;
  const pico = (usdPerMillion: number): bigint => {
    const { picoUsdPerToken, roundedSubPico } = priceFromUsdPerMillion(usdPerMillion);
    rounded ||= roundedSubPico;
    return picoUsdPerToken;
  };
  const { input, output, cacheRead, cacheWrite, reasoning } = offer.price;
  const rates: PriceTier['price'] = {
    inputPicoUsdPerToken: pico(input),
    outputPicoUsdPerToken: pico(output),
    ...(cacheRead === undefined ? {} : { cacheReadPicoUsdPerToken: pico(cacheRead) }),
    ...(cacheWrite === undefined ? {} : { cacheWritePicoUsdPerToken: pico(cacheWrite) }),
    ...(reasoning === undefined ? {} : { reasoningPicoUsdPerToken: pico(reasoning) }),
  };
  // A class that the source does not price above a threshold is unknown there: the lower tier's rate is not carried up.
  const tiers = offer.tiers
    ?.toSorted((a, b) => a.above - b.above)
    .map((tier) => ({
      aboveInputTokens: tier.above,
      price: {
        inputPicoUsdPerToken: pico(tier.input),
        outputPicoUsdPerToken: pico(tier.output),
        ...(tier.cacheRead === undefined || tier.cacheRead === null
          ? {}
          : { cacheReadPicoUsdPerToken: pico(tier.cacheRead) }),
      },
    }));
  return {
    ...rates,
    ...(tiers === undefined ? {} : { tiers }),
    ...(rounded ? { flags: ['rounded-sub-pico'] as const } : {}),
  };
}

import type { Endpoint, Price, PriceTier } from '#libs/catalog';

/** One price tier as doubles for scoring (exact below 2^53 pico-USD) and as bigint for what is recorded. */
export interface Rate {
  readonly aboveInputTokens: number;
  readonly input: number;
  readonly output: number;
  readonly request: number;
  readonly exact: {
    readonly input: bigint;
    readonly output: bigint;
    readonly request: bigint;
  };
}

/** What ranking reads of an endpoint, worked out once. */
export interface EndpointFigures {
  readonly idHash: number;
  /** Ascending by threshold; empty = the source names no price. */
  readonly rates: readonly Rate[];
  readonly answersText: boolean;
  /** `provider/region`, what a suffixed slug of `provider.order` names. */
  readonly regionSlug: string;
}

const remembered = new WeakMap<Endpoint, EndpointFigures>();

/** Figures of an endpoint object, made on first use and kept as long as the catalog keeps the object. */
export function figuresOf(endpoint: Endpoint): EndpointFigures {
  const known = remembered.get(endpoint);
  if (known !== undefined) return known;
  const price = endpoint.price;
  const made: EndpointFigures = {
    idHash: fnv1a(endpoint.id),
    rates:
      price === undefined
        ? []
        : [rate(0, price), ...(price.tiers ?? []).map((t) => rate(t.aboveInputTokens, t.price))],
    answersText: endpoint.outputModalities.includes('text'),
    regionSlug: `${endpoint.providerId}/${endpoint.region}`,
  };
  remembered.set(endpoint, made);
  return made;
}

/** Works the figures out at load, so that the first request over thousands of endpoints need not. */
export function prepareEndpoints(endpoints: readonly Endpoint[]): void {
  for (const endpoint of endpoints) figuresOf(endpoint);
}

/** The last tier whose threshold the input exceeds; undefined where there is no price. */
export function rateFor(figures: EndpointFigures, inputTokens: number): Rate | undefined {
  const rates = figures.rates;
  let i = rates.length - 1;
  while (i > 0 && inputTokens <= rates[i]!.aboveInputTokens) i--;
  return rates[i];
}

function rate(aboveInputTokens: number, price: Price | PriceTier['price']): Rate {
  const request = price.requestPicoUsd ?? 0n;
  return {
    aboveInputTokens,
    input: Number(price.inputPicoUsdPerToken),
    output: Number(price.outputPicoUsdPerToken),
    request: Number(request),
    exact: {
      input: price.inputPicoUsdPerToken,
      output: price.outputPicoUsdPerToken,
      request,
    },
  };
}

/** FNV-1a, 32 bits: ties an endpoint's draw to its id, whatever stands beside it. */
function fnv1a(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

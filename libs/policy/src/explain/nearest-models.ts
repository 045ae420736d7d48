import type { Catalog, Endpoint, Model } from '#libs/catalog';

/** A catalog's price of a million tokens in and a third of that out is what chats are like. */
const INPUT_SHARE = 3n;
const OUTPUT_SHARE = 1n;
/** Weights of being another family, of quality (0..1), of the logarithm of price, and of too short a context. */
const OTHER_AUTHOR = 0.15;
const OTHER_FAMILY = 0.1;
const QUALITY = 2;
const UNKNOWN_QUALITY = 0.3;
const PRICE = 0.1;
const SHORTER_CONTEXT = 0.2;

/** Pico-USD of a blend of four tokens, of the cheapest priced endpoint; undefined where none has a price. */
export function blendedPicoUsd(endpoints: readonly Endpoint[]): bigint | undefined {
  let least: bigint | undefined;
  for (const { price } of endpoints) {
    if (price === undefined) continue;
    const blend =
      price.inputPicoUsdPerToken * INPUT_SHARE + price.outputPicoUsdPerToken * OUTPUT_SHARE;
    if (least === undefined || blend < least) least = blend;
  }
  return least;
}

/** Other models that can take what this one can, nearest first: by family, quality, price and context. */
export function nearestModels(wanted: Model, catalog: Catalog): readonly Model[] {
  const own = catalog.endpointsOf(wanted.id);
  const [tools, inputs] = [own.some((e) => e.tools), modalitiesOf(own)];
  const price = blendedPicoUsd(own);
  const ranked: { readonly model: Model; readonly distance: number }[] = [];
  for (const model of catalog.models.values()) {
    if (model.id === wanted.id) continue;
    const endpoints = catalog.endpointsOf(model.id);
    if (endpoints.length === 0 || (tools && !endpoints.some((e) => e.tools))) continue;
    const offered = modalitiesOf(endpoints);
    if (![...inputs].every((m) => offered.has(m))) continue;
    ranked.push({ model, distance: distance(wanted, model, price, blendedPicoUsd(endpoints)) });
  }
  return ranked
    .toSorted((a, b) => a.distance - b.distance || (a.model.id < b.model.id ? -1 : 1))
    .map((r) => r.model);
}

const modalitiesOf = (endpoints: readonly Endpoint[]): ReadonlySet<string> =>
  new Set(endpoints.flatMap((e) => e.inputModalities));

function distance(
  wanted: Model,
  model: Model,
  wantedPrice: bigint | undefined,
  price: bigint | undefined,
): number {
  let far = 0;
  if (model.author !== wanted.author) far += OTHER_AUTHOR;
  if (model.family === undefined || model.family !== wanted.family) far += OTHER_FAMILY;
  far +=
    model.quality && wanted.quality
      ? QUALITY * Math.abs(model.quality.score - wanted.quality.score)
      : UNKNOWN_QUALITY;
  if (wantedPrice !== undefined && price !== undefined)
    far += PRICE * Math.abs(Math.log(Number(price + 1n) / Number(wantedPrice + 1n)));
  if (model.contextTokens < wanted.contextTokens) far += SHORTER_CONTEXT;
  return far;
}

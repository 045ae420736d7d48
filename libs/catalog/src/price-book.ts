import { canonicalJson, sha256 } from '#libs/kernel';
import type { Json, PicoUsd } from '#libs/kernel';
import { CatalogError } from './errors.js';
import type { Price, PriceBook, PriceTier } from './types.js';

/** Format name inside the bytes: a reader that knows another format refuses them instead of misreading them. */
const FORMAT = 'custos.price-book.v1';

/** Members of a price in its JSON form; amounts are decimal strings of integer pico-USD. */
const AMOUNTS = {
  input: 'inputPicoUsdPerToken',
  output: 'outputPicoUsdPerToken',
  cacheRead: 'cacheReadPicoUsdPerToken',
  cacheWrite: 'cacheWritePicoUsdPerToken',
  cacheWrite1h: 'cacheWrite1hPicoUsdPerToken',
  inputImage: 'inputImagePicoUsdPerToken',
  inputAudio: 'inputAudioPicoUsdPerToken',
  outputImage: 'outputImagePicoUsdPerToken',
  outputAudio: 'outputAudioPicoUsdPerToken',
  reasoning: 'reasoningPicoUsdPerToken',
  request: 'requestPicoUsd',
} as const;
type Rates = PriceTier['price'];
const BESIDE_RATES: ReadonlySet<string> = new Set(['tiers', 'flags']);
const BESIDE_RATES_OF_TIER: ReadonlySet<string> = new Set(['above']);

/** Names of tools, as in a usage record. */
const TOOL = /^[a-z][a-z0-9_]{0,63}$/;
const AMOUNT = /^(?:0|[1-9]\d{0,30})$/;

/** The price book of a set of endpoints; an endpoint without a price is not in it. */
export function priceBookOf(
  endpoints: Iterable<{ readonly id: string; readonly price?: Price }>,
): PriceBook {
  const prices = new Map<string, Price>();
  for (const { id, price } of endpoints) {
    if (price === undefined) continue;
    if (prices.has(id)) throw invalid('an endpoint has two prices');
    prices.set(id, price);
  }
  return bookOf(prices);
}

/**
 * Reads the stored bytes of a price book. The version is the digest of these very bytes, so it is the version under
 * which they were stored; bytes that are not in canonical form are refused, because they never were a book of ours.
 * Throws CatalogError `price-book-invalid`.
 */
export function parsePriceBook(bytes: Uint8Array): PriceBook {
  let parsed: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new CatalogError('price-book-invalid', 'price book is not JSON', {}, { cause });
  }
  const book = asRecord(parsed, 'price book');
  if (book['format'] !== FORMAT) throw invalid('price book has an unknown format');
  const { currency, unit } = book;
  if (currency !== 'USD' || unit !== 'pico-USD' || Object.keys(book).length !== 4)
    throw invalid('price book is not in canonical form');
  const prices = new Map<string, Price>();
  const said = asRecord(book['prices'], 'prices');
  const read = amountReader();
  for (const id of Object.keys(said)) prices.set(id, readPrice(said[id], read));
  // Every member has been read above, so these are the bytes that the prices themselves would give.
  if (!isCanonical(text, parsed as Json)) throw invalid('price book is not in canonical form');
  return { version: sha256(bytes), bytes, priceOf: (endpointId) => prices.get(endpointId) };
}

/**
 * Whether the text is the canonical one of what was parsed from it. Members keep the order that they were read in, so
 * where they are in order, writing them again as they are tells; anything unusual is written canonically and compared.
 */
function isCanonical(text: string, parsed: Json): boolean {
  if (isInOrder(parsed) && JSON.stringify(parsed) === text) return true;
  return canonicalJson(parsed) === text;
}

function isInOrder(value: Json | undefined): boolean {
  if (value === null || typeof value !== 'object') return true;
  if (Array.isArray(value)) return value.every((v: Json) => isInOrder(v));
  const members = value as { readonly [member: string]: Json | undefined };
  let last = '';
  for (const member in members) {
    if (member < last || !isInOrder(members[member])) return false;
    last = member;
  }
  return true;
}

/** The JSON form of one price, as it stands in price books and catalog files. */
export function priceToJson(price: Price): { readonly [member: string]: Json } {
  return {
    ...ratesToJson(price),
    ...(price.tiers === undefined
      ? {}
      : {
          tiers: price.tiers.map((t) => ({ above: t.aboveInputTokens, ...ratesToJson(t.price) })),
        }),
    ...(price.flags === undefined ? {} : { flags: price.flags }),
  };
}

/** Throws CatalogError `price-book-invalid` on an unknown member, a missing rate or a malformed amount. */
export const priceFromJson = (value: unknown): Price => readPrice(value, amountFromJson);

type ReadAmount = (value: unknown) => PicoUsd;

function readPrice(value: unknown, read: ReadAmount): Price {
  const json = asRecord(value, 'price');
  const { tiers, flags } = json;
  const price = ratesFromJson(json, BESIDE_RATES, read);
  if (tiers === undefined && flags === undefined) return price;
  return {
    ...price,
    ...(tiers === undefined ? {} : { tiers: tiersFromJson(tiers, read) }),
    ...(flags === undefined ? {} : { flags: flagsFromJson(flags) }),
  };
}

function bookOf(prices: ReadonlyMap<string, Price>): PriceBook {
  const members: Record<string, Json> = {};
  for (const [id, price] of prices) members[id] = priceToJson(price);
  const bytes = new TextEncoder().encode(
    canonicalJson({ currency: 'USD', format: FORMAT, prices: members, unit: 'pico-USD' }),
  );
  return { version: sha256(bytes), bytes, priceOf: (endpointId) => prices.get(endpointId) };
}

function ratesToJson(rates: Rates): Record<string, Json> {
  const json: Record<string, Json> = {};
  for (const [short, long] of Object.entries(AMOUNTS)) {
    const amount = rates[long];
    if (amount !== undefined) json[short] = amount.toString();
  }
  if (rates.toolCallPicoUsd !== undefined)
    json['toolCalls'] = Object.fromEntries(
      Object.entries(rates.toolCallPicoUsd).map(([tool, amount]) => [tool, amount.toString()]),
    );
  return json;
}

/** `beside`: members that are no rates, and are read elsewhere. */
function ratesFromJson(
  json: Readonly<Record<string, unknown>>,
  beside: ReadonlySet<string>,
  read: ReadAmount,
): Rates {
  const { input, output, toolCalls } = json;
  if (input === undefined || output === undefined)
    throw invalid('price lacks its input or output rate');
  // These two first, in every price: thousands of them are then of one shape.
  const rates: { -readonly [Member in keyof Rates]: Rates[Member] } = {
    inputPicoUsdPerToken: read(input),
    outputPicoUsdPerToken: read(output),
  };
  for (const member of Object.keys(json)) {
    if (member === 'input' || member === 'output') continue;
    if (member === 'toolCalls' || beside.has(member)) continue;
    if (!Object.hasOwn(AMOUNTS, member)) throw invalid('price has an unknown member');
    rates[AMOUNTS[member as keyof typeof AMOUNTS]] = read(json[member]);
  }
  if (toolCalls !== undefined) rates.toolCallPicoUsd = toolCallsFromJson(toolCalls, read);
  return rates;
}

function toolCallsFromJson(value: unknown, read: ReadAmount): Readonly<Record<string, PicoUsd>> {
  const entries = Object.entries(asRecord(value, 'toolCalls'));
  if (entries.length === 0 || entries.some(([tool]) => !TOOL.test(tool)))
    throw invalid('toolCalls must name tools');
  return Object.fromEntries(entries.map(([tool, amount]) => [tool, read(amount)]));
}

function amountFromJson(value: unknown): PicoUsd {
  if (typeof value !== 'string' || !AMOUNT.test(value))
    throw invalid('price has a malformed amount');
  return BigInt(value);
}

/** Reads each amount once: a book of thousands of prices has some hundred different ones. */
function amountReader(): ReadAmount {
  const known = new Map<unknown, PicoUsd>();
  return (value) => {
    let amount = known.get(value);
    if (amount === undefined) known.set(value, (amount = amountFromJson(value)));
    return amount;
  };
}

function tiersFromJson(value: unknown, read: ReadAmount): readonly PriceTier[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid('tiers must be a list with an entry');
  let last = 0;
  return value.map((entry: unknown): PriceTier => {
    const tier = asRecord(entry, 'tier');
    const { above } = tier;
    if (typeof above !== 'number' || !Number.isSafeInteger(above) || above <= last) {
      throw invalid('tier thresholds must be ascending positive integers');
    }
    last = above;
    return { aboveInputTokens: above, price: ratesFromJson(tier, BESIDE_RATES_OF_TIER, read) };
  });
}

function flagsFromJson(value: unknown): readonly 'rounded-sub-pico'[] {
  if (!Array.isArray(value) || value.length !== 1 || value[0] !== 'rounded-sub-pico') {
    throw invalid('price has an unknown flag');
  }
  return ['rounded-sub-pico'];
}

function asRecord(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${what} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

const invalid = (message: string): CatalogError => new CatalogError('price-book-invalid', message);

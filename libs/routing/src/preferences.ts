import type { Preferences, Strategy } from './types.js';

/** Most entries in one list of `provider`, and the longest slug: far above any real request, bounds the record. */
export const PREFERENCE_LIST_MAX = 32;
const SLUG = /^[a-z0-9][a-z0-9._/-]{0,99}$/;
const REGION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/;
const USD_PER_MILLION = /^(\d{1,12})(?:\.(\d{1,18}))?$/;
/** USD 1 per million tokens is a million pico-USD per token. */
const PICO_USD_PER_TOKEN_DIGITS = 6;
const MS_PER_SECOND = 1_000;

/** What policy reads of `provider`: each can only tighten. The shape of `RequestWants`, without depending on it. */
export interface PolicyWants {
  readonly zdr: boolean;
  readonly denyDataCollection: boolean;
  readonly confidential: boolean;
  readonly only?: readonly string[];
  readonly ignore?: readonly string[];
  readonly regions?: readonly string[];
}

export type ParsedPreferences =
  | {
      readonly ok: true;
      readonly preferences: Preferences;
      readonly wants: PolicyWants;
      readonly requireParameters: boolean;
      /** Set by `sort: "exacto"`. */
      readonly strategy?: Strategy;
    }
  | {
      readonly ok: false;
      readonly code: 'invalid_parameter' | 'unsupported_parameter';
      /** E.g. `provider.max_price.prompt`. */
      readonly param: string;
      readonly message: string;
    };

interface Draft {
  preferences: { -readonly [K in keyof Preferences]: Preferences[K] };
  wants: { -readonly [K in keyof PolicyWants]: PolicyWants[K] };
  requireParameters: boolean;
  strategy?: Strategy;
}

/** Expected refusals inside the parser; turned into a value at its border. */
class Refused extends Error {
  constructor(
    readonly code: 'invalid_parameter' | 'unsupported_parameter',
    readonly param: string,
    message: string,
  ) {
    super(message);
  }
}

const NOTHING_SAID: ParsedPreferences = Object.freeze({
  ok: true,
  preferences: Object.freeze({ allowFallbacks: true }),
  wants: Object.freeze({ zdr: false, denyDataCollection: false, confidential: false }),
  requireParameters: false,
});

/**
 * Reads the body's `provider` object: OpenRouter's fields plus `confidential` and `regions`. Strict: an unknown field is
 * refused, for ignoring it could send a prompt where its author did not want it. A field that OpenRouter knows but our
 * catalog has no facts for is refused as `unsupported_parameter`. `null` reads as not said, as OpenRouter has it.
 */
export function parsePreferences(provider: unknown): ParsedPreferences {
  if (provider === undefined || provider === null) return NOTHING_SAID;
  const draft: Draft = {
    preferences: { allowFallbacks: true },
    wants: { zdr: false, denyDataCollection: false, confidential: false },
    requireParameters: false,
  };
  try {
    for (const [field, value] of members('provider', provider)) {
      const read = FIELDS.get(field);
      if (read === undefined) throw invalid(`provider.${field.slice(0, 100)}`, 'unknown field');
      if (value !== null && value !== undefined) read(draft, value, `provider.${field}`);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { ok: false, code: error.code, param: error.param, message: error.message };
  }
  return { ok: true, ...draft };
}

type Read = (draft: Draft, value: unknown, param: string) => void;

const FIELDS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ['order', (d, v, p) => void (d.preferences.order = slugs(v, p))],
  ['only', (d, v, p) => void (d.wants.only = sortedSet(slugs(v, p)))],
  ['ignore', (d, v, p) => void (d.wants.ignore = sortedSet(slugs(v, p)))],
  ['regions', (d, v, p) => void (d.wants.regions = sortedSet(list(v, p, REGION, upper)))],
  ['allow_fallbacks', (d, v, p) => void (d.preferences.allowFallbacks = flag(v, p))],
  ['require_parameters', (d, v, p) => void (d.requireParameters = flag(v, p))],
  ['zdr', (d, v, p) => void (d.wants.zdr = flag(v, p))],
  ['confidential', (d, v, p) => void (d.wants.confidential = flag(v, p))],
  ['data_collection', (d, v, p) => void (d.wants.denyDataCollection = deniesCollection(v, p))],
  ['sort', readSort],
  ['max_price', readMaxPrice],
  ['preferred_max_latency', readMaxLatency],
  ['preferred_min_throughput', readMinThroughput],
  ['quantizations', unsupported],
  ['enforce_distillable_text', unsupportedUnlessFalse],
]);

function readSort(draft: Draft, value: unknown, param: string): void {
  let by = value;
  if (typeof value === 'object') {
    by = undefined;
    for (const [field, inner] of members(param, value)) {
      if (field === 'by') by = inner;
      else if (field !== 'partition') throw invalid(`${param}.${field}`, 'unknown field');
      // With one model per request both partitions are the same set.
      else if (inner !== null && inner !== 'model' && inner !== 'none')
        throw invalid(`${param}.partition`, 'must be "model" or "none"');
    }
  }
  if (by === 'exacto') draft.strategy = 'quality-first';
  else if (by === 'price' || by === 'throughput' || by === 'latency') draft.preferences.sort = by;
  else throw invalid(param, 'must be "price", "throughput", "latency" or "exacto"');
}

function readMaxPrice(draft: Draft, value: unknown, param: string): void {
  const ceiling: { -readonly [K in keyof NonNullable<Preferences['maxPrice']>]: string } = {};
  for (const [field, amount] of members(param, value)) {
    const at = `${param}.${field}`;
    if (!['prompt', 'completion', 'image', 'audio', 'request'].includes(field))
      throw invalid(at, 'unknown field');
    if (amount === null || amount === undefined) continue;
    if (field === 'prompt') ceiling.promptPicoUsdPerToken = picoUsdPerToken(amount, at);
    else if (field === 'completion')
      ceiling.completionPicoUsdPerToken = picoUsdPerToken(amount, at);
    else unsupported(draft, amount, at);
  }
  if (Object.keys(ceiling).length > 0) draft.preferences.maxPrice = ceiling;
}

/** Seconds to the first token, as OpenRouter has it. */
function readMaxLatency(draft: Draft, value: unknown, param: string): void {
  draft.preferences.preferredMaxLatencyMs = median(value, param) * MS_PER_SECOND;
}

function readMinThroughput(draft: Draft, value: unknown, param: string): void {
  draft.preferences.preferredMinTokensPerSecond = median(value, param);
}

/** A number (the median) or `{p50}`; we keep no other percentile. */
function median(value: unknown, param: string): number {
  if (typeof value !== 'object') return positive(value, param);
  let p50: number | undefined;
  for (const [field, inner] of members(param, value)) {
    const at = `${param}.${field}`;
    if (!['p50', 'p75', 'p90', 'p99'].includes(field)) throw invalid(at, 'unknown field');
    if (inner === null || inner === undefined) continue;
    if (field !== 'p50') throw new Refused('unsupported_parameter', at, 'is not supported yet');
    p50 = positive(inner, at);
  }
  if (p50 === undefined) throw invalid(param, 'must name a number or p50');
  return p50;
}

function unsupported(_draft: Draft, _value: unknown, param: string): void {
  throw new Refused(
    'unsupported_parameter',
    param,
    'is not supported yet: the catalog has no facts to hold it by',
  );
}

/** `false` asks for nothing, so nothing has to be known for it. */
function unsupportedUnlessFalse(draft: Draft, value: unknown, param: string): void {
  if (value !== false) unsupported(draft, value, param);
}

function deniesCollection(value: unknown, param: string): boolean {
  if (value !== 'allow' && value !== 'deny') throw invalid(param, 'must be "allow" or "deny"');
  return value === 'deny';
}

function members(param: string, value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(param, 'must be an object');
  return Object.entries(value);
}

function flag(value: unknown, param: string): boolean {
  if (typeof value !== 'boolean') throw invalid(param, 'must be true or false');
  return value;
}

function positive(value: unknown, param: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw invalid(param, 'must be a number above zero');
  return value;
}

const upper = (text: string): string => text.toUpperCase();

const slugs = (value: unknown, param: string): string[] =>
  list(value, param, SLUG, (text) => text.toLowerCase());

function list(
  value: unknown,
  param: string,
  shape: RegExp,
  normal: (text: string) => string = (text) => text,
): string[] {
  if (!Array.isArray(value)) throw invalid(param, 'must be a list of strings');
  if (value.length > PREFERENCE_LIST_MAX)
    throw invalid(param, `has more than ${PREFERENCE_LIST_MAX} entries`);
  return value.map((entry: unknown) => {
    const text = typeof entry === 'string' ? normal(entry) : undefined;
    if (text === undefined || !shape.test(text))
      throw invalid(param, 'has an entry that is no name');
    return text;
  });
}

/** Equal wants give equal facts, whatever the order they were written in: decisions are cached by them. */
const sortedSet = (names: readonly string[]): string[] => [...new Set(names)].sort();

/**
 * USD per million tokens (number or decimal string) in pico-USD per token, rounded down: prices are integers, so no
 * price passes that the exact ceiling would have stopped.
 */
function picoUsdPerToken(value: unknown, param: string): string {
  const text = typeof value === 'number' ? plainDecimal(value) : value;
  const m = typeof text === 'string' ? USD_PER_MILLION.exec(text) : null;
  if (m === null) throw invalid(param, 'must be a decimal amount of USD per million tokens');
  const fraction = (m[2] ?? '').slice(0, PICO_USD_PER_TOKEN_DIGITS);
  return BigInt(m[1]! + fraction.padEnd(PICO_USD_PER_TOKEN_DIGITS, '0')).toString();
}

/** JSON numbers below 1e-6 print with an exponent; they are below a pico-USD per token as well. */
const plainDecimal = (value: number): string => (value >= 0 && value < 1e-6 ? '0' : String(value));

const invalid = (param: string, message: string): Refused =>
  new Refused('invalid_parameter', param, message);

import { describe, expect, it } from '@jest/globals';
import { parsePreferences } from './preferences.js';

const refusal = (provider: unknown) => {
  const read = parsePreferences(provider);
  return read.ok ? 'accepted' : `${read.code} ${read.param}`;
};

function accepted(provider: unknown) {
  const read = parsePreferences(provider);
  if (!read.ok) throw new Error(`${read.param} ${read.message}`);
  return read;
}

describe('the provider object', () => {
  it('absent or null says nothing', () => {
    const nothing = {
      ok: true,
      preferences: { allowFallbacks: true },
      wants: { zdr: false, denyDataCollection: false, confidential: false },
      requireParameters: false,
    };
    for (const provider of [undefined, null, {}, { order: null, zdr: null, max_price: null }])
      expect(parsePreferences(provider)).toEqual(nothing);
  });

  it('is read whole', () => {
    expect(
      accepted({
        order: ['Azure', 'google-vertex/us-east5'],
        only: ['openai', 'Azure', 'openai'],
        ignore: ['x'],
        regions: ['us', 'EEA'],
        allow_fallbacks: false,
        require_parameters: true,
        data_collection: 'deny',
        zdr: true,
        confidential: true,
        sort: { by: 'latency', partition: 'model' },
        max_price: { prompt: '0.15', completion: 2, image: null },
        preferred_max_latency: { p50: 1.5 },
        preferred_min_throughput: 40,
        enforce_distillable_text: false,
      }),
    ).toEqual({
      ok: true,
      preferences: {
        order: ['azure', 'google-vertex/us-east5'],
        allowFallbacks: false,
        sort: 'latency',
        maxPrice: { promptPicoUsdPerToken: '150000', completionPicoUsdPerToken: '2000000' },
        preferredMaxLatencyMs: 1_500,
        preferredMinTokensPerSecond: 40,
      },
      wants: {
        zdr: true,
        denyDataCollection: true,
        confidential: true,
        only: ['azure', 'openai'],
        ignore: ['x'],
        regions: ['EEA', 'US'],
      },
      requireParameters: true,
    });
  });

  it('refuses what it does not know, rather than ignore it', () => {
    expect(refusal({ onyl: ['openai'] })).toBe('invalid_parameter provider.onyl');
    expect(refusal({ constructor: 1 })).toBe('invalid_parameter provider.constructor');
    expect(refusal({ sort: { by: 'price', order: 'asc' } })).toBe(
      'invalid_parameter provider.sort.order',
    );
    expect(refusal({ max_price: { promt: 1 } })).toBe('invalid_parameter provider.max_price.promt');
    expect(refusal({ preferred_max_latency: { p51: 1 } })).toBe(
      'invalid_parameter provider.preferred_max_latency.p51',
    );
  });

  it.each([
    [{ quantizations: ['fp8'] }, 'provider.quantizations'],
    [{ enforce_distillable_text: true }, 'provider.enforce_distillable_text'],
    [{ max_price: { image: 1 } }, 'provider.max_price.image'],
    [{ max_price: { request: '1' } }, 'provider.max_price.request'],
    [{ preferred_max_latency: { p99: 3 } }, 'provider.preferred_max_latency.p99'],
  ])('says of %j that it is not supported yet', (provider, param) => {
    expect(refusal(provider)).toBe(`unsupported_parameter ${param}`);
  });

  it.each([
    'text',
    [[]],
    { zdr: 'yes' },
    { data_collection: 'maybe' },
    { order: 'openai' },
    { order: [1] },
    { order: ['a b'] },
    { only: Array.from({ length: 33 }, () => 'a') },
    { regions: ['<script>'] },
    { sort: 'speed' },
    { sort: { partition: 'all', by: 'price' } },
    { sort: {} },
    { max_price: 3 },
    { max_price: { prompt: -1 } },
    { max_price: { prompt: '1e3' } },
    { max_price: { prompt: Number.NaN } },
    { preferred_min_throughput: 0 },
    { preferred_max_latency: {} },
  ])('refuses %j', (provider) => {
    expect(refusal(provider)).toMatch(/^invalid_parameter provider/);
  });

  it('rounds a ceiling down to what integer prices can differ by', () => {
    const prompt = (amount: unknown) =>
      accepted({ max_price: { prompt: amount } }).preferences.maxPrice?.promptPicoUsdPerToken;
    expect(prompt('0.0000019')).toBe('1');
    expect(prompt(0.0000001)).toBe('0');
    expect(prompt(0)).toBe('0');
    expect(prompt(1.25)).toBe('1250000');
  });

  it('sort exacto means quality first', () => {
    expect(accepted({ sort: 'exacto' }).strategy).toBe('quality-first');
    expect(accepted({ sort: 'exacto' }).preferences.sort).toBeUndefined();
  });
});

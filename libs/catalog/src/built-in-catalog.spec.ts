import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { factsOf } from './facts-of.js';
import { loadCatalog } from './load-catalog.js';
import { parsePriceBook } from './price-book.js';

const read = (name: string): string =>
  readFileSync(new URL(`../data/${name}`, import.meta.url), 'utf8');
const startedMs = performance.now();
const catalog = loadCatalog(read);
const loadMs = performance.now() - startedMs;
const sellers = (modelId: string): number =>
  new Set(catalog.endpointsOf(modelId).map(({ providerId }) => providerId)).size;

describe('the built-in catalog', () => {
  it('is large enough to route in', () => {
    const joined = [...catalog.models.keys()].filter((id) => sellers(id) >= 2).length;
    const providers = new Set(catalog.endpoints.map(({ providerId }) => providerId)).size;
    process.stdout.write(
      `catalog: ${catalog.models.size} models (${joined} at two providers or more), ` +
        `${catalog.endpoints.length} endpoints, ${providers} providers, loaded in ${loadMs.toFixed(0)} ms\n`,
    );
    expect(catalog.models.size).toBeGreaterThanOrEqual(300);
    expect(providers).toBeGreaterThanOrEqual(50);
    expect(joined).toBeGreaterThanOrEqual(300);
  });

  it('has dense ordinals in the order of ids, unique ids, and an endpoint for every model', () => {
    const ids = catalog.endpoints.map(({ id }) => id as string);
    expect(catalog.endpoints.map(({ ordinal }) => ordinal)).toEqual(ids.map((_, index) => index));
    expect(ids).toEqual(ids.toSorted());
    expect(new Set(ids.map((id) => id.toLowerCase())).size).toBe(ids.length);
    for (const id of catalog.models.keys())
      expect(catalog.endpointsOf(id).length).toBeGreaterThan(0);
  });

  it('keeps the ids that customers have written down', () => {
    for (const id of [
      'openai:gpt-4o-mini:global:default',
      'anthropic:claude-sonnet-4-5:global:default',
      'amazon-bedrock:anthropic.claude-sonnet-4-5-20250929-v1:0:eu:default',
      'google-vertex:claude-haiku-4-5@20251001:global:default',
      'openrouter:meta-llama~llama-3.3-70b-instruct:global:default',
      'openrouter:openai~gpt-oss-120b:free:global:default',
      'alibaba-coding-plan-cn:glm-5:cn:subscription',
    ]) {
      expect(catalog.endpoint(id)?.id).toBe(id);
    }
  });

  it.each([
    ['gpt-4o-mini', 'openai/gpt-4o-mini'],
    ['OpenAI/GPT-4o-Mini', 'openai/gpt-4o-mini'],
    ['gpt-4o', 'openai/gpt-4o'],
    ['openai/gpt-5', 'openai/gpt-5'],
    ['anthropic/claude-sonnet-4.5', 'anthropic/claude-sonnet-4-5'],
    ['claude-haiku-4-5', 'anthropic/claude-haiku-4-5'],
    ['deepseek/deepseek-v3.2', 'deepseek/deepseek-v3.2'],
    ['meta/llama-3.3-70b-instruct', 'meta-llama/llama-3.3-70b-instruct'],
    ['alibaba/qwen3-32b', 'qwen/qwen3-32b'],
    ['mistral/mistral-large-2512', 'mistralai/mistral-large-2512'],
    ['google/gemini-2.5-pro', 'google/gemini-2.5-pro'],
  ])('resolves %s to %s, which several providers offer', (asked, expected) => {
    const model = catalog.resolveModel(asked);
    expect(model?.id).toBe(expected);
    expect(sellers(expected)).toBeGreaterThanOrEqual(2);
  });

  it('resolves nothing that nobody offers, and no router that would choose the model itself', () => {
    for (const asked of ['', 'gpt-99', 'openrouter/auto', 'auto', '__proto__', 'constructor']) {
      expect(catalog.resolveModel(asked)).toBeUndefined();
    }
  });

  it('prices the well-known offers as their vendors do', () => {
    expect(catalog.priceBook.priceOf('openai:gpt-4o-mini:global:default')).toEqual({
      inputPicoUsdPerToken: 150_000n,
      outputPicoUsdPerToken: 600_000n,
      cacheReadPicoUsdPerToken: 75_000n,
    });
    const flagged = catalog.endpoints.filter(({ price }) =>
      price?.flags?.includes('rounded-sub-pico'),
    );
    expect(flagged.length).toBeGreaterThan(0);
  });

  it('leaves an offer without a price without one, and a free one at zero', () => {
    expect(catalog.endpoints.some(({ price }) => price === undefined)).toBe(true);
    expect(
      catalog.priceBook.priceOf('openrouter:openai~gpt-oss-120b:free:global:default'),
    ).toMatchObject({
      inputPicoUsdPerToken: 0n,
      outputPicoUsdPerToken: 0n,
    });
  });

  it('has a price book that reads back from its bytes', () => {
    const reread = parsePriceBook(catalog.priceBook.bytes);
    expect(reread.version).toBe(catalog.priceBook.version);
    for (const { id, price } of catalog.endpoints) expect(reread.priceOf(id)).toEqual(price);
  });

  it('says nothing where nothing is established', () => {
    const facts = (id: string) => catalog.providers.get(id)?.facts;
    expect(facts('openai')).toMatchObject({
      hqCountry: 'US',
      trainsOnApiData: false,
      zdr: 'approval',
      baaOffered: true,
      operatorAccess: null,
      certifications: null,
      pinned: false,
      readOn: '2026-11-21',
      expiresOn: '2027-11-21',
    });
    expect(facts('moonshotai')).toMatchObject({
      processingRegions: null,
      trainsOnApiData: null,
      zdr: null,
    });
    expect(facts('nearai')?.hqCountry).toBeNull();
    expect(facts('nano-gpt')).toBeUndefined();
    expect(catalog.providers.get('nano-gpt')).not.toHaveProperty('stopsBillingOnCancel');
    expect(catalog.models.get('openai/gpt-5.4-nano')).not.toHaveProperty('quality');
  });

  it('knows where a geographic profile of Bedrock stays, and that the bare one is not said', () => {
    const bedrock = catalog.providers.get('amazon-bedrock')!;
    const model = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
    const at = (region: string) => {
      const endpoint = catalog.endpoint(`amazon-bedrock:${model}:${region}:default`)!;
      const { processingRegions, pinned } = factsOf(bedrock, endpoint)!;
      return { processingRegions, pinned };
    };
    expect(at('eu')).toEqual({ processingRegions: ['EEA'], pinned: true });
    expect(at('global')).toEqual({ processingRegions: null, pinned: false });
    expect(at('regional')).toEqual({ processingRegions: null, pinned: null });
  });

  it('gives no lab to a model that only a reseller names', () => {
    for (const model of catalog.models.values()) {
      if (model.id.startsWith('nano-gpt/')) expect(model).not.toHaveProperty('originCountry');
    }
    expect(catalog.models.get('deepseek/deepseek-v3.2')?.originCountry).toBe('CN');
    expect(catalog.models.get('mistralai/mistral-nemo')?.originCountry).toBe('FR');
  });

  it('ranks by quality in an order that is not absurd', () => {
    const quality = (id: string): number => catalog.models.get(id)!.quality!.score;
    expect(quality('anthropic/claude-opus-4-8')).toBeGreaterThan(
      quality('anthropic/claude-sonnet-4-5'),
    );
    expect(quality('anthropic/claude-sonnet-4-5')).toBeGreaterThan(
      quality('anthropic/claude-haiku-4-5'),
    );
    expect(quality('openai/gpt-5')).toBeGreaterThan(quality('openai/gpt-4.1'));
    expect(quality('openai/gpt-4o')).toBeGreaterThan(quality('openai/gpt-4o-mini'));
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { settleFacts } from './fact-statement.js';
import { loadCatalog } from './load-catalog.js';
import { parsePriceBook } from './price-book.js';

const read = (name: string): string =>
  readFileSync(new URL(`../data/${name}`, import.meta.url), 'utf8');
const startedMs = performance.now();
const catalog = loadCatalog(read);
const loadMs = performance.now() - startedMs;
const sellers = (modelId: string): number =>
  new Set(catalog.endpointsOf(modelId).map(({ providerId }) => providerId)).size;

/** Settled values of a provider's offer, as of the snapshot's day unless said otherwise. */
function valuesOf(
  providerId: string,
  offer: { readonly modelId: string; readonly region: string },
  day = '2026-11-21',
): Record<string, unknown> {
  const { facts, dialect } = catalog.providers.get(providerId)!;
  const settled = settleFacts(facts, { ...offer, dialect, contract: 'default' }, Date.parse(day));
  return Object.fromEntries(Object.entries(settled).map(([name, { value }]) => [name, value]));
}

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
    const known = (id: string) => valuesOf(id, { modelId: 'some/model', region: 'global' });
    expect(known('openai')).toMatchObject({
      hqCountry: 'US',
      trainsOnApiData: false,
      zdr: 'approval',
      baaOffered: true,
      pinned: false,
    });
    for (const name of ['operatorAccess', 'certifications', 'baaSigned', 'transferTools'])
      expect(known('openai')).not.toHaveProperty(name);
    for (const name of ['processingRegions', 'trainsOnApiData', 'zdr'])
      expect(known('moonshotai')).not.toHaveProperty(name);
    expect(known('nearai')).not.toHaveProperty('hqCountry');
    expect(catalog.providers.get('nano-gpt')?.facts).toEqual([]);
    expect(catalog.providers.get('nano-gpt')).not.toHaveProperty('stopsBillingOnCancel');
    expect(catalog.models.get('openai/gpt-5.4-nano')).not.toHaveProperty('quality');
  });

  it('names for every fact a source, the day it was read, and a day from which it is unknown', () => {
    const facts = [...catalog.providers.values()].flatMap((p) => p.facts);
    expect(facts.length).toBeGreaterThan(150);
    for (const { evidence } of facts) {
      expect(evidence.class).toBe('asserted');
      expect(evidence.sources.length).toBeGreaterThan(0);
      expect(evidence.expiresOn > evidence.readOn).toBe(true);
    }
    expect(catalog.models.get('deepseek/deepseek-v3.2')?.evidence).toMatchObject({
      originCountry: { class: 'asserted', expiresOn: '2027-11-21' },
      openWeights: { class: 'asserted', expiresOn: '2027-07-02' },
    });
    expect(valuesOf('openai', { modelId: 'a/b', region: 'global' }, '2027-11-22')).toEqual({});
  });

  it('knows where a geographic profile of Bedrock stays, and that the bare one is not said', () => {
    const at = (region: string) => {
      const { processingRegions, pinned } = valuesOf('amazon-bedrock', {
        modelId: 'anthropic/claude-sonnet-4-5',
        region,
      });
      return { processingRegions, pinned };
    };
    expect(at('eu')).toEqual({ processingRegions: ['EEA'], pinned: true });
    expect(at('global')).toEqual({ processingRegions: undefined, pinned: false });
    expect(at('regional')).toEqual({ processingRegions: undefined, pinned: undefined });
  });

  it('keeps a model out of what its provider states in general', () => {
    const of = (providerId: string, modelId: string) =>
      valuesOf(providerId, { modelId, region: 'global' });
    expect(of('anthropic', 'anthropic/claude-sonnet-4-5')).toMatchObject({ zdr: 'approval' });
    expect(of('anthropic', 'anthropic/claude-fable-5')).toMatchObject({
      zdr: 'none',
      retentionDays: 30,
    });
    expect(of('deepinfra', 'deepseek/deepseek-v3.2')).toMatchObject({ zdr: 'default' });
    expect(of('deepinfra', 'anthropic/claude-sonnet-4-5')).not.toHaveProperty('zdr');
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

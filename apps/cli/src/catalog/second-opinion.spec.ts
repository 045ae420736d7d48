import { describe, expect, it } from '@jest/globals';
import { loadCatalog } from '#libs/catalog';
import type { PriceCalculationResult } from '@pydantic/genai-prices';
import { builtInCatalogDirectory, catalogReader } from './catalog-directory.js';
import { compareWithSecondOpinion, knownToBoth } from './second-opinion.js';

const catalog = loadCatalog(catalogReader(builtInCatalogDirectory()));
const at = new Date('2026-11-21T12:00:00Z');
const asked: string[] = [];
const opinion =
  (price: Record<string, number | { base: number; tiers: [] }>) =>
  (_: unknown, model: string): PriceCalculationResult => {
    asked.push(model);
    return model === 'gpt-4o-mini'
      ? ({ model_price: price } as unknown as PriceCalculationResult)
      : null;
  };

describe('compareWithSecondOpinion', () => {
  it('finds no difference where both say the same, float noise or not', () => {
    const same = opinion({
      input_mtok: 0.15,
      output_mtok: 0.6000000000000001,
      cache_read_mtok: 0.075,
    });
    expect(compareWithSecondOpinion(catalog, same, at, 'openai')).toMatchObject({
      compared: 1,
      differences: [],
    });
    expect(asked).toContain('gpt-4o');
  });

  it('names endpoint, rate and both figures where they differ, tiered prices by their base', () => {
    const dearer = opinion({ input_mtok: { base: 0.2, tiers: [] }, output_mtok: 0.6 });
    expect(compareWithSecondOpinion(catalog, dearer, at, 'openai').differences).toEqual([
      {
        endpoint: 'openai:gpt-4o-mini:global:default',
        rate: 'input',
        oursPicoUsdPerToken: '150000',
        theirsPicoUsdPerToken: '200000',
      },
    ]);
  });

  it('does not take a class that one side does not state for a difference', () => {
    const silent = opinion({ input_mtok: 0.15, output_mtok: 0.6, cache_write_mtok: 9 });
    expect(compareWithSecondOpinion(catalog, silent, at, 'openai').differences).toEqual([]);
  });

  it('knows which sellers both price', () => {
    expect(knownToBoth('openai')).toBe(true);
    expect(knownToBoth('nano-gpt')).toBe(false);
    expect(knownToBoth('constructor')).toBe(false);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { CatalogFileName } from './catalog-format.js';
import { loadCatalog } from './load-catalog.js';

const endpoint = {
  id: 'host:m:global:default',
  model: 'lab/m',
  provider: 'host',
  upstream: 'm',
  region: 'global',
  contract: 'default',
  context: 1000,
  maxOutput: 100,
  in: ['text'],
  out: ['text'],
  tools: true,
  reasoning: false,
  price: { input: '1', output: '2' },
};
const model = { id: 'lab/m', name: 'M', author: 'lab', context: 1000, aliases: ['m'] };
const provider = {
  id: 'host',
  name: 'Host',
  dialect: 'openai-chat',
  credentialVariable: 'HOST_API_KEY',
};
const fact = {
  provider: 'host',
  fact: 'zdr',
  value: 'default',
  class: 'asserted',
  sources: ['https://host.example/terms'],
  readOn: '2026-11-21',
  expiresOn: '2027-11-21',
};
const lines = (...rows: unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const files = (changed: Partial<Record<CatalogFileName, string>> = {}) => {
  const all: Record<CatalogFileName, string> = {
    'endpoints.jsonl': lines(endpoint),
    'models.jsonl': lines(model),
    'providers.jsonl': lines(provider),
    'facts.jsonl': lines(fact),
    ...changed,
  };
  return (name: CatalogFileName): string => all[name];
};

describe('loadCatalog', () => {
  it('takes the dialect from the provider, and each fact with its evidence', () => {
    const catalog = loadCatalog(files());
    expect(catalog.endpoint(endpoint.id)).toMatchObject({ ordinal: 0, dialect: 'openai-chat' });
    expect(catalog.providers.get('host')?.facts).toMatchObject([
      {
        fact: 'zdr',
        value: 'default',
        untilMs: Date.parse('2027-11-22'),
        evidence: { class: 'asserted' },
      },
    ]);
    expect(catalog.resolveModel('M')?.id).toBe('lab/m');
    expect(catalog.endpointsOf('unknown')).toEqual([]);
  });

  it('has one version for the same records in another order, and another for another record', () => {
    const second = { ...endpoint, id: 'host:n:global:default' };
    const one = loadCatalog(files({ 'endpoints.jsonl': lines(endpoint, second) }));
    const other = loadCatalog(files({ 'endpoints.jsonl': lines(second, endpoint) }));
    expect(other.version).toBe(one.version);
    expect(other.endpoints).toEqual(one.endpoints);
    expect(loadCatalog(files()).version).not.toBe(one.version);
    const otherFact = files({ 'facts.jsonl': lines({ ...fact, value: 'none' }) });
    expect(loadCatalog(otherFact).version).not.toBe(loadCatalog(files()).version);
  });

  const faults: [string, CatalogFileName, string][] = [
    ['an unknown model', 'endpoints.jsonl', lines({ ...endpoint, model: 'lab/x' })],
    ['an unknown provider', 'endpoints.jsonl', lines({ ...endpoint, provider: 'x' })],
    ['an endpoint listed twice', 'endpoints.jsonl', lines(endpoint, endpoint)],
    ['an unknown member', 'endpoints.jsonl', lines({ ...endpoint, extra: 1 })],
    ['a missing member', 'endpoints.jsonl', lines({ ...endpoint, context: undefined })],
    ['a line that is not JSON', 'endpoints.jsonl', '{'],
    ['a model listed twice', 'models.jsonl', lines(model, model)],
    [
      'a model without an endpoint',
      'models.jsonl',
      lines(model, { ...model, id: 'lab/n', aliases: [] }),
    ],
    ['an alias that hides an id', 'models.jsonl', lines({ ...model, aliases: ['lab/m'] })],
    ['a quality above one', 'models.jsonl', lines({ ...model, quality: { score: 2 } })],
    ['a provider listed twice', 'providers.jsonl', lines(provider, provider)],
    ['an unknown dialect', 'providers.jsonl', lines({ ...provider, dialect: 'gemini' })],
    ['a fact about nobody', 'facts.jsonl', lines({ ...fact, provider: 'x' })],
    ['a fact stated twice by one source', 'facts.jsonl', lines(fact, { ...fact, value: 'none' })],
    ['a fact without a value', 'facts.jsonl', lines({ ...fact, value: undefined })],
    ['a value of another fact', 'facts.jsonl', lines({ ...fact, value: true })],
    ['a fact without a source', 'facts.jsonl', lines({ ...fact, sources: [] })],
    ['an unknown class', 'facts.jsonl', lines({ ...fact, class: 'believed' })],
    ['an expiry that is no date', 'facts.jsonl', lines({ ...fact, expiresOn: 'never' })],
  ];
  it.each(faults)('refuses %s', (_, file, content) => {
    expect(() => loadCatalog(files({ [file]: content }))).toThrow(
      expect.objectContaining({ code: 'catalog-invalid' }),
    );
  });

  it('names file and record of a fault', () => {
    const broken = lines(endpoint, { ...endpoint, id: 'host:n:global:default', context: 0 });
    expect(() => loadCatalog(files({ 'endpoints.jsonl': broken }))).toThrow(
      /endpoints\.jsonl, record 2: context/,
    );
  });

  it('refuses a price that is not a price', () => {
    const broken = lines({ ...endpoint, price: { input: '1.5', output: '2' } });
    expect(() => loadCatalog(files({ 'endpoints.jsonl': broken }))).toThrow(
      expect.objectContaining({ code: 'price-book-invalid' }),
    );
  });
});

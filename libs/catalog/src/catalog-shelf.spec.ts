import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { sha256 } from '#libs/kernel';
import { catalogText } from './canonical-catalog.js';
import type { CatalogFileName } from './catalog-format.js';
import { CatalogShelf } from './catalog-shelf.js';
import { loadCatalog } from './load-catalog.js';
import type { Catalog } from './types.js';

const data = new URL('../data/', import.meta.url);
const file = (name: CatalogFileName): string => readFileSync(new URL(name, data), 'utf8');
const catalog = loadCatalog(file);

/** What a catalog holds, without its look-up functions. */
const held = ({ version, priceBook, endpoints, models, providers }: Catalog) => ({
  version,
  prices: priceBook.version,
  endpoints,
  models: [...models.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  providers: [...providers.values()]
    .map((p) => ({ ...p, facts: p.facts.map((f) => JSON.stringify(f)).toSorted() }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1)),
});

/** The smallest catalog with a name of its own. */
const small = (id: string): string =>
  catalogText((name) =>
    name === 'providers.jsonl'
      ? JSON.stringify({ id, name: id, dialect: 'openai-chat', credentialVariable: 'KEY' })
      : '',
  );

function shelfOf(texts: readonly string[]) {
  const kept = new Map(texts.map((text) => [sha256(text), text]));
  const asked: string[] = [];
  const gone: string[] = [];
  const shelf = new CatalogShelf({
    atHand: catalog,
    kept: async (version) => {
      asked.push(version);
      return kept.get(version);
    },
    letGo: (version) => gone.push(version),
  });
  return { shelf, kept, asked, gone, versions: [...kept.keys()] };
}

describe('catalogs of the past', () => {
  it('are the same again from the text that their version is the digest of', async () => {
    const text = catalogText(file);
    expect(sha256(text)).toBe(catalog.version);
    const other = loadCatalog((name) => (name === 'facts.jsonl' ? '' : file(name)));
    const shelf = new CatalogShelf({ atHand: other, kept: async () => Buffer.from(text) });
    const again = await shelf.of(catalog.version);
    expect(held(again!)).toEqual(held(catalog));
    expect(again!.resolveModel('gpt-4o-mini')?.id).toBe('openai/gpt-4o-mini');
  });

  it('are a few at a time in memory, and holders are told of those that go', async () => {
    const { shelf, asked, gone, versions } = shelfOf(['a', 'b', 'c', 'd'].map(small));
    for (const version of versions) expect((await shelf.of(version))?.version).toBe(version);
    expect(gone).toEqual([versions[0]]);
    await shelf.of(versions[1]!);
    expect(asked).toEqual(versions);
    await shelf.of(versions[0]!);
    expect(gone).toEqual([versions[0], versions[2]]);
  });

  it('are not looked for twice where they were never kept, nor at all where one is at hand', async () => {
    const { shelf, asked } = shelfOf([]);
    const never = sha256('never');
    for (const _ of [1, 2]) expect(await shelf.of(never)).toBeUndefined();
    expect(await shelf.of(catalog.version)).toBe(catalog);
    expect(asked).toEqual([never]);
  });

  it.each([
    ['a changed byte', small('other')],
    ['no catalog', 'null'],
    ['no JSON', '{'],
  ])('are refused where what is kept is %s', async (_what, text) => {
    const version = sha256(small('a'));
    const shelf = new CatalogShelf({ atHand: catalog, kept: async () => text });
    await expect(shelf.of(version)).rejects.toMatchObject({ code: 'catalog-invalid' });
  });

  it('are refused where the digest is right and it is no catalog', async () => {
    const shelf = new CatalogShelf({ atHand: catalog, kept: async () => 'null' });
    await expect(shelf.of(sha256('null'))).rejects.toMatchObject({ code: 'catalog-invalid' });
  });
});

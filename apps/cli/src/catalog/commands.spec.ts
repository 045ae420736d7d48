import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { builtInCatalogDirectory } from './catalog-directory.js';
import { runCatalogDiff } from './diff.js';
import { runCatalogImport } from './import.js';

const SOURCE = {
  'endpoints.jsonl': `${JSON.stringify({
    provider: 'openai',
    id: 'gpt-4o-mini',
    name: 'GPT-4o mini',
    price: { input: 0.15, output: 0.6 },
    context: 128_000,
    maxOutput: 16_384,
    in: ['text'],
    out: ['text'],
    tools: true,
    reasoning: false,
    attachment: true,
    openWeights: false,
    released: '2024-07-18',
    updated: '2024-07-18',
  })}\n`,
  'models.jsonl': '',
  'provider-index.json': JSON.stringify([
    {
      id: 'openai',
      name: 'OpenAI',
      doc: 'https://example.com',
      adapter: '@ai-sdk/openai',
      endpoints: 1,
    },
  ]),
  'providers.json': '[]',
  'quality-aider-polyglot.json': '[]',
};
const TABLES = ['model-identity.json', 'authors.jsonl', 'provider-review.jsonl'];

let from: string;
let out: string;

beforeAll(async () => {
  from = await mkdtemp(join(tmpdir(), 'custos-catalog-from-'));
  out = await mkdtemp(join(tmpdir(), 'custos-catalog-out-'));
  for (const [name, text] of Object.entries(SOURCE)) await writeFile(join(from, name), text);
  for (const name of TABLES) {
    await writeFile(join(out, name), await readFile(join(builtInCatalogDirectory(), name)));
  }
});

afterAll(async () => {
  await rm(from, { recursive: true });
  await rm(out, { recursive: true });
});

describe('custos catalog import', () => {
  it('writes a catalog that the second opinion agrees with', async () => {
    expect(await runCatalogImport(['--from', from, '--out', out])).toBe(0);
    expect(await readFile(join(out, 'endpoints.jsonl'), 'utf8')).toContain(
      'openai:gpt-4o-mini:global:default',
    );
    expect(await runCatalogDiff(['--catalog', out])).toBe(0);
  });

  it('writes the same bytes again', async () => {
    const before = await readFile(join(out, 'models.jsonl'), 'utf8');
    expect(await runCatalogImport(['--from', from, '--out', out])).toBe(0);
    expect(await readFile(join(out, 'models.jsonl'), 'utf8')).toBe(before);
  });

  it('answers 1 where the source is absent or broken, 2 where it was called wrongly', async () => {
    expect(await runCatalogImport(['--from', join(from, 'nowhere'), '--out', out])).toBe(1);
    const broken = await mkdtemp(join(tmpdir(), 'custos-catalog-broken-'));
    for (const name of Object.keys(SOURCE)) await writeFile(join(broken, name), '{"provider":');
    expect(await runCatalogImport(['--from', broken, '--out', out])).toBe(1);
    await rm(broken, { recursive: true });
    expect(await runCatalogImport([])).toBe(2);
    expect(await runCatalogImport(['--nonsense'])).toBe(2);
  });
});

describe('custos catalog diff', () => {
  it('answers 1 where prices differ, 2 where it was called wrongly', async () => {
    const endpoints = join(out, 'endpoints.jsonl');
    const honest = await readFile(endpoints, 'utf8');
    await writeFile(endpoints, honest.replace('"input":"150000"', '"input":"150001"'));
    expect(await runCatalogDiff(['--catalog', out, '--json'])).toBe(1);
    await writeFile(endpoints, honest);
    expect(await runCatalogDiff(['--catalog', join(out, 'nowhere')])).toBe(1);
    expect(await runCatalogDiff(['--provider', 'nobody'])).toBe(2);
    expect(await runCatalogDiff(['extra'])).toBe(2);
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { loadCatalog } from '#libs/catalog';
import { billingDocument } from './billing-doc.js';

const path = new URL('../../docs/billing.md', import.meta.url);
const data = new URL('../../libs/catalog/data/', import.meta.url);

describe('docs/billing.md', () => {
  it('says of each provider what the catalog says', () => {
    const { providers } = loadCatalog((name) => readFileSync(new URL(name, data), 'utf8'));
    const text = readFileSync(path, 'utf8');
    const due = billingDocument(text, providers.values());
    if (process.env['CUSTOS_WRITE_DOCS'] === '1') writeFileSync(path, due);
    expect(readFileSync(path, 'utf8')).toBe(due);
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { errorsDocument } from './errors-doc.js';

const path = new URL('../../docs/errors.md', import.meta.url);

describe('docs/errors.md', () => {
  it('says what the tables in the code say', () => {
    if (process.env['CUSTOS_WRITE_DOCS'] === '1') writeFileSync(path, errorsDocument());
    expect(readFileSync(path, 'utf8')).toBe(errorsDocument());
  });
});

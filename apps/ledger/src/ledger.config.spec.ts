import { describe, expect, it } from '@jest/globals';
import { logEntriesFor } from './ledger.config.js';

describe('who may read the log’s entries', () => {
  it.each([
    ['development', undefined, 'everyone'],
    ['production', undefined, 'auditors'],
    ['development', 'auditors', 'auditors'],
    ['production', 'everyone', 'everyone'],
  ] as const)('in %s, told %s: %s', (CUSTOS_PROFILE, CUSTOS_LOG_ENTRIES, who) => {
    expect(logEntriesFor({ CUSTOS_PROFILE, CUSTOS_LOG_ENTRIES })).toBe(who);
  });
});

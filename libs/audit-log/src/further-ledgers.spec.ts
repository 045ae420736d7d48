import { describe, expect, it } from '@jest/globals';
import { furtherLedgers } from './further-ledgers.js';

describe('CUSTOS_LEDGERS', () => {
  it('names ledgers with where they lease, and their database where the log is in PostgreSQL', () => {
    expect(
      furtherLedgers.parse('bank=http://ledger-b:8084|postgres://audit@db/bank, eu=https://eu:1'),
    ).toEqual([
      {
        id: 'bank',
        ledgerUrl: 'http://ledger-b:8084',
        auditDatabaseUrl: 'postgres://audit@db/bank',
      },
      { id: 'eu', ledgerUrl: 'https://eu:1' },
    ]);
    expect(furtherLedgers.parse(undefined)).toEqual([]);
  });

  it.each([
    'bank',
    '=http://x:1',
    'Bank=http://x:1',
    'bank=ftp://x',
    'bank=http://x:1|http://db',
    'bank=http://x:1|postgres://a/b|c',
    'bank=http://x:1,bank=http://y:1',
  ])('refuses %s', (text) => {
    expect(furtherLedgers.safeParse(text).success).toBe(false);
  });
});

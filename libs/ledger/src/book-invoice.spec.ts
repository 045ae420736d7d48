import { describe, expect, it } from '@jest/globals';
import { WriterChain, decodeEvent, type InvoiceIssued } from '#libs/audit-events';
import { writerId } from '#libs/kernel';
import { BooksInMemory } from './books-in-memory.js';

const said: InvoiceIssued = {
  number: '2026-10-000001',
  organisationId: 'org-1',
  period: '2026-10',
  at: '2026-11-04T00:00:05.000Z',
  digest: `sha256:${'d'.repeat(64)}`,
  lines: 3,
  exactPicoUsd: '12344999999999',
  payablePicoUsd: '12350000000000',
  size: '17',
  root: `sha256:${'e'.repeat(64)}`,
};
const chain = new WriterChain(writerId('ledger-1'));
const event = (changes: Partial<InvoiceIssued> = {}) => {
  const { bytes } = chain.next('custos.ledger.invoice_issued.v1', 'org-1', 0, {
    ...said,
    ...changes,
  });
  const read = decodeEvent(bytes);
  if (!read.ok) throw new Error(read.fault);
  return read.event;
};
const books = (): BooksInMemory => new BooksInMemory({ pricesOf: () => undefined });

describe('an invoice in the books', () => {
  it('posts what whole cents ask for beyond the journals, in the month that it is for', () => {
    expect(books().take({ index: 9n, event: event() })).toEqual([
      {
        id: 18n,
        leafIndex: 9n,
        kind: 'rounding',
        effectiveAt: '2026-10-31T23:59:59.999Z',
        period: '2026-10',
        reason: '2026-10-000001',
        postings: [
          { account: 'customer:org-1:receivable', amountPicoUsd: '5000000001' },
          { account: 'rounding', amountPicoUsd: '-5000000001' },
        ],
      },
    ]);
  });

  it('stands once for an organisation and month, whatever number is said later', () => {
    const one = books();
    expect(one.take({ index: 9n, event: event() })).toHaveLength(1);
    expect(one.take({ index: 10n, event: event({ number: '2026-10-000002' }) })).toEqual([]);
    expect(one.take({ index: 11n, event: event({ organisationId: 'org-2' }) })).toHaveLength(1);
  });

  it('posts nothing where nothing was rounded, and stands all the same', () => {
    const one = books();
    const exactPicoUsd = said.payablePicoUsd;
    expect(one.take({ index: 9n, event: event({ exactPicoUsd }) })).toEqual([]);
    expect(one.take({ index: 10n, event: event() })).toEqual([]);
  });

  it.each([
    ['no whole cents', { payablePicoUsd: '12345000000000' }],
    ['more than half a cent a line', { payablePicoUsd: '12370000000000' }],
    ['less than half a cent a line', { payablePicoUsd: '12320000000000' }],
    [
      'more than a posting can hold, over as many lines',
      { payablePicoUsd: `1${'0'.repeat(20)}`, lines: Number.MAX_SAFE_INTEGER },
    ],
  ])('posts nothing under the name of rounding that asks for %s', (_what, changes) => {
    const one = books();
    expect(one.take({ index: 9n, event: event(changes) })).toEqual([]);
    expect(one.take({ index: 10n, event: event() })).toHaveLength(1);
  });
});

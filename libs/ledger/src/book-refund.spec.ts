import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { CustosEvent, EventData, EventType, RefundGranted } from '#libs/audit-events';
import { isByTwo } from './book-refund.js';
import { BooksInMemory } from './books-in-memory.js';
import type { Journal } from './journal.js';

const AT = '2026-11-21T10:00:00.000Z';
const terms = { pricesOf: () => undefined };

const say = <T extends EventType>(
  type: T,
  writer: string,
  data: EventData[T],
  time = AT,
): CustosEvent =>
  // The pair of type and data is given by the signature.
  ({ type, id: `${writer}.0`, subject: 's', time, writer, wseq: 0, wprev: '', data }) as never;

const credit = (writer = 'control-1', creditId = 'credit-1') =>
  say('custos.ledger.credit.v1', writer, {
    creditId,
    organisationId: 'org',
    at: AT,
    amountPicoUsd: '1000',
    feePicoUsd: '80',
    fee: { basisPoints: 550, minimumPicoUsd: '80' },
    author: 'key:a',
  });
const granted = (over: Partial<RefundGranted> = {}, writer = 'ledger-1', time = AT) =>
  say(
    'custos.ledger.refund_granted.v1',
    writer,
    {
      refundId: 'refund-1',
      organisationId: 'org',
      at: AT,
      author: 'key:a',
      approver: 'key:b',
      reason: 'the customer leaves',
      of: { amountPicoUsd: '300' },
      amountPicoUsd: '300',
      feePicoUsd: '0',
      ...over,
    },
    time,
  );
const whole = (over: Partial<RefundGranted> = {}, writer = 'ledger-2') =>
  granted(
    {
      refundId: 'refund-2',
      of: { creditId: 'credit-1' },
      amountPicoUsd: '1000',
      feePicoUsd: '80',
      ...over,
    },
    writer,
  );

function book(events: readonly CustosEvent[]): readonly Journal[] {
  const books = new BooksInMemory(terms);
  return events.flatMap((event, i) => books.take({ index: BigInt(i), event }));
}

function balance(journals: readonly Journal[]): Record<string, string> {
  const sums = new Map<string, bigint>();
  for (const { account, amountPicoUsd } of journals.flatMap((j) => j.postings))
    sums.set(account, (sums.get(account) ?? 0n) + BigInt(amountPicoUsd));
  const moved = [...sums].filter(([, n]) => n !== 0n).map(([a, n]) => [a, n.toString()] as const);
  return Object.fromEntries(moved.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a refund', () => {
  it('of an amount lowers credit and what was paid; the fee stays', () => {
    const journals = book([credit(), granted()]);
    expect(journals[1]).toMatchObject({
      id: 2n,
      kind: 'refund',
      author: 'key:a',
      approver: 'key:b',
      reason: 'the customer leaves',
      period: '2026-11',
    });
    expect(balance(journals)).toEqual({
      'customer:org:prepaid': '-700',
      'revenue:fees': '-80',
      'settlement:clearing': '780',
    });
  });

  it('of a whole purchase takes back all that it posted', () => {
    expect(balance(book([credit(), whole()]))).toEqual({});
  });

  it('follows from its record alone, whichever of the two is read first', () => {
    expect(balance(book([whole(), credit()]))).toEqual({});
    expect(balance(book([granted()]))).toEqual({
      'customer:org:prepaid': '300',
      'settlement:clearing': '-300',
    });
  });

  it('is posted into the first month that is open when it is said', () => {
    const late = granted(
      { at: '2026-10-31T23:59:00.000Z' },
      'ledger-1',
      '2026-11-10T00:00:00.000Z',
    );
    expect(book([late])[0]).toMatchObject({
      effectiveAt: '2026-10-31T23:59:00.000Z',
      period: '2026-11',
    });
  });

  it.each<[string, CustosEvent[]]>([
    ['said twice', [granted(), granted({}, 'ledger-2')]],
    ['said twice with other words', [granted(), granted({ reason: 'again' }, 'ledger-2')]],
    ['of one purchase under two names', [whole(), whole({ refundId: 'refund-3' }, 'ledger-3')]],
  ])('%s is posted once', (_, events) => {
    expect(book(events)).toHaveLength(1);
  });

  it.each<[string, Partial<RefundGranted>]>([
    ['another sum than was asked for', { amountPicoUsd: '301' }],
    ['a fee with an amount', { feePicoUsd: '1' }],
    ['by one person as both', { approver: 'key:a' }],
    ['of nothing', { of: { amountPicoUsd: '0' }, amountPicoUsd: '0' }],
    [
      'of more than a posting holds',
      { of: { amountPicoUsd: (2n ** 63n).toString() }, amountPicoUsd: (2n ** 63n).toString() },
    ],
    [
      'of a purchase beyond what a posting holds',
      { of: { creditId: 'c' }, amountPicoUsd: (2n ** 63n - 1n).toString(), feePicoUsd: '1' },
    ],
    ['of a purchase of nothing', { of: { creditId: 'c' }, amountPicoUsd: '0' }],
  ])('%s moves nothing', (_, over) => {
    expect(book([granted(over)])).toEqual([]);
  });

  it.each(['control-1', 'ingress-1'])('by %s moves nothing', (writer) => {
    expect(book([granted({}, writer)])).toEqual([]);
  });

  it('that was asked for, or declined, moves nothing', () => {
    const { amountPicoUsd: _a, feePicoUsd: _f, ...asked } = granted().data as RefundGranted;
    expect(
      book([
        say('custos.ledger.refund.v1', 'control-1', asked),
        say('custos.ledger.refund_declined.v1', 'ledger-1', {
          ...asked,
          why: 'not_enough_credit',
          creditPicoUsd: '0',
          inUsePicoUsd: '0',
        }),
      ]),
    ).toEqual([]);
    expect(isByTwo(asked)).toBe(true);
    expect(isByTwo({ ...asked, approver: asked.author })).toBe(false);
  });

  it('in any interleaving gives the same trial balance, and every journal adds up to zero', () => {
    const records = [
      credit(),
      credit('control-2', 'credit-2'),
      granted(),
      granted({}, 'ledger-3'),
      whole(),
      whole({ refundId: 'refund-3' }, 'ledger-4'),
    ];
    const expected = balance(book(records));
    expect(expected).toEqual({
      'customer:org:prepaid': '-700',
      'revenue:fees': '-80',
      'settlement:clearing': '780',
    });
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (order) => {
        const journals = book(order);
        expect(balance(journals)).toEqual(expected);
        for (const { postings } of journals)
          expect(postings.reduce((sum, p) => sum + BigInt(p.amountPicoUsd), 0n)).toBe(0n);
      }),
    );
  });
});

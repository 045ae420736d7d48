import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type {
  AttemptOutcome,
  CustosEvent,
  EventData,
  EventType,
  LedgerCorrection,
} from '#libs/audit-events';
import type { Price } from '#libs/catalog';
import { bookDue } from './book-due.js';
import { BooksInMemory } from './books-in-memory.js';
import type { Journal } from './journal.js';

const AT = '2026-11-21T10:00:00.000Z';
const PRICE: Price = { inputPicoUsdPerToken: 1n, outputPicoUsdPerToken: 10n };
const terms = {
  pricesOf: (version: string) =>
    version === 'b1'
      ? { priceOf: (id: string) => (id === 'unpriced' ? undefined : PRICE) }
      : undefined,
};

type Said = { readonly event: CustosEvent };
const say = <T extends EventType>(
  type: T,
  writer: string,
  wseq: number,
  data: EventData[T],
  time = AT,
): Said => ({
  // The pair of type and data is given by the signature.
  event: {
    type,
    id: `${writer}.${wseq}`,
    subject: 's',
    time,
    writer,
    wseq,
    wprev: '',
    data,
  } as unknown as CustosEvent,
});

const attempt = {
  number: 1,
  requestId: 'gen-1.1',
  endpoint: 'e',
  provider: 'acme',
  region: 'eu',
  simulated: false,
};
const outcome = (over: Partial<AttemptOutcome> = {}): AttemptOutcome => ({
  ...attempt,
  outcome: 'completed',
  usage: { inputTokens: 100, outputTokens: 20, basis: 'reported' },
  ...over,
});
const opened = (payer?: 'prepaid') =>
  say('custos.generation.opened.v1', 'ingress', 0, {
    generationId: 'gen-1',
    organisationId: 'org',
    workspaceId: 'ws',
    keyId: 'key',
    receivedAt: '2026-11-21T09:00:00.000Z',
    model: 'm',
    versions: { priceBook: 'b1' },
    hold: { at: AT, amountPicoUsd: '0', leases: [] },
    attempt,
    ...(payer !== undefined && { payer }),
  } as unknown as EventData['custos.generation.opened.v1']);
const close = (over: object = {}, wseq = 1, writer = 'ingress', time = AT) =>
  say(
    'custos.generation.closed.v1',
    writer,
    wseq,
    {
      generationId: 'gen-1',
      at: time,
      status: 'completed',
      attempts: [outcome()],
      ...over,
    },
    time,
  );
const sweeper = close(
  { status: 'recovered', attempts: [outcome({ outcome: 'unknown', usage: undefined as never })] },
  0,
  'ledger',
);
const correction = (number: number, over: Partial<LedgerCorrection>, time = AT) =>
  say(
    'custos.ledger.correction.v1',
    'control',
    number,
    {
      correctionId: `correction-${number}`,
      generationId: 'gen-1',
      number,
      at: time,
      author: 'key:a',
      approver: 'key:b',
      reason: 'said later',
      ...over,
    },
    time,
  );
const credit = (writer: string) =>
  say('custos.ledger.credit.v1', writer, 0, {
    creditId: 'credit-1',
    organisationId: 'org',
    at: AT,
    amountPicoUsd: '1000',
    feePicoUsd: '80',
    fee: { basisPoints: 550, minimumPicoUsd: '80' },
    author: 'key:a',
  });

function book(leaves: readonly Said[]): readonly Journal[] {
  const books = new BooksInMemory(terms);
  return leaves.flatMap(({ event }, i) => books.take({ index: BigInt(i), event }));
}

function balance(journals: readonly Journal[]): Record<string, string> {
  const sums = new Map<string, bigint>();
  for (const { postings } of journals)
    for (const p of postings)
      sums.set(p.account, (sums.get(p.account) ?? 0n) + BigInt(p.amountPicoUsd));
  return Object.fromEntries(
    [...sums]
      .filter(([, n]) => n !== 0n)
      .map(([a, n]) => [a, n.toString()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const usage = { inputTokens: 100, outputTokens: 50, basis: 'reported' } as const;

describe('a correction', () => {
  it('takes back what stands and posts anew, both naming its leaf, with author and reason', () => {
    const journals = book([opened(), close(), correction(1, { usage: [{ attempt: 1, usage }] })]);
    expect(
      journals.map((j) => [j.id, j.kind, j.leafIndex, j.reverses, j.author, j.reason]),
    ).toEqual([
      [2n, 'usage', 1n, undefined, undefined, undefined],
      [5n, 'reversal', 2n, 2n, 'key:a', 'said later'],
      [4n, 'correction', 2n, undefined, 'key:a', 'said later'],
    ]);
    expect(balance(journals)).toMatchObject({
      'customer:org:receivable': '600',
      'cogs:provider:acme': '600',
    });
  });

  it('replaces the one before; of the amounts it names, none follows from the usage any more', () => {
    const journals = book([
      opened(),
      close(),
      correction(1, { usage: [{ attempt: 1, usage }] }),
      correction(2, {
        amount: { customerPicoUsd: '7', providers: [{ provider: 'acme', amountPicoUsd: '0' }] },
      }),
    ]);
    expect(balance(journals)).toEqual({ 'customer:org:receivable': '7', 'revenue:usage:m': '-7' });
    const reversed = journals.flatMap((j) => j.reverses ?? []);
    expect(new Set(reversed).size).toBe(reversed.length);
  });

  it('charges nothing where it says so, and the reversal stands alone', () => {
    const nothing = { customerPicoUsd: '0', providers: [{ provider: 'acme', amountPicoUsd: '0' }] };
    const journals = book([opened(), close(), correction(1, { amount: nothing })]);
    expect(journals.map((j) => j.kind)).toEqual(['usage', 'reversal']);
    expect(balance(journals)).toEqual({});
  });

  it('is posted in the month in which it is decided, effective when the usage was', () => {
    const december = '2026-12-20T10:00:00.000Z';
    const journals = book([
      opened(),
      close(),
      correction(1, { usage: [{ attempt: 1, usage }] }, december),
    ]);
    expect(journals.map((j) => [j.kind, j.period, j.effectiveAt])).toEqual([
      ['usage', '2026-11', AT],
      ['reversal', '2026-12', AT],
      ['correction', '2026-12', AT],
    ]);
  });

  it.each([
    ['after', [opened(), close()], []],
    ['before', [], [opened(), close()]],
  ])('of what is another organisation’s has no effect, read %s it', (_when, first, then) => {
    const amount = { customerPicoUsd: '0' };
    const foreign = correction(2, { organisationId: 'org-2', amount });
    const own = correction(1, { organisationId: 'org', amount: { customerPicoUsd: '7' } });
    expect(balance(book([...first, foreign, ...then]))).toMatchObject({
      'customer:org:receivable': '300',
    });
    expect(balance(book([...first, own, foreign, ...then]))).toMatchObject({
      'customer:org:receivable': '7',
    });
  });

  it('of an amount that no posting can hold charges nothing', () => {
    const journals = book([
      opened(),
      close(),
      correction(1, { amount: { customerPicoUsd: (2n ** 63n).toString() } }),
    ]);
    expect(balance(journals)).toEqual({});
  });
});

describe('in any interleaving of partitions', () => {
  const records = [
    opened('prepaid'),
    sweeper,
    close(),
    correction(1, { usage: [{ attempt: 1, usage }] }),
    correction(2, { amount: { customerPicoUsd: '7' } }, '2026-12-20T10:00:00.000Z'),
    credit('control-2'),
    credit('control-3'),
  ];
  const inOrder = ['ingress', 'control'];
  const shuffled = fc.shuffledSubarray(records, { minLength: records.length }).map((order) => {
    // Within one writer the order is the log's.
    for (const writer of inOrder) {
      const own = records.filter((r) => r.event.writer === writer);
      let next = 0;
      order = order.map((r) => (r.event.writer === writer ? own[next++]! : r));
    }
    return order;
  });

  it('the trial balance is the same, nothing is taken back twice, every journal adds up to zero', () => {
    const expected = balance(book(records));
    expect(expected).toEqual({
      'cogs:provider:acme': '300',
      'payable:provider:acme': '-300',
      'customer:org:prepaid': '-993',
      'revenue:fees': '-80',
      'revenue:usage:m': '-7',
      'settlement:clearing': '1080',
    });
    fc.assert(
      fc.property(shuffled, (order) => {
        const journals = book(order);
        expect(balance(journals)).toEqual(expected);
        const reversed = journals.flatMap((j) => j.reverses ?? []);
        expect(new Set(reversed).size).toBe(reversed.length);
        expect(new Set(journals.map((j) => j.id)).size).toBe(journals.length);
        for (const { postings } of journals)
          expect(postings.reduce((sum, p) => sum + BigInt(p.amountPicoUsd), 0n)).toBe(0n);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the months, in any interleaving of partitions', () => {
  const [NOVEMBER, DECEMBER, JANUARY] = [
    AT,
    '2026-12-20T10:00:00.000Z',
    '2027-01-20T10:00:00.000Z',
  ];
  const closed = (wseq: number, period: string, next: Readonly<Record<string, number>>) =>
    say(
      'custos.ledger.period_closed.v1',
      'ledger',
      wseq,
      {
        period,
        at: AT,
        logId: 'log-1',
        through: Object.entries(next).map(([topic, n]) => ({
          topic,
          partition: 0,
          next: n.toString(),
        })),
      },
      period === '2026-11' ? '2026-12-04T00:00:00.000Z' : '2027-01-04T00:00:00.000Z',
    );
  const credits = { 'control-2': 1, 'control-3': 1 };
  const other = { ...opened().event, wseq: 2, id: 'ingress.2' } as CustosEvent;
  Object.assign(other, { data: { ...other.data, generationId: 'gen-2' } });
  const records = [
    opened(),
    close(),
    // Said in December of what was used in November, and corrected before anybody read that.
    { event: other },
    close({ generationId: 'gen-2', at: NOVEMBER }, 3, 'ingress', DECEMBER),
    correction(1, { amount: { customerPicoUsd: '5' } }, NOVEMBER),
    correction(2, { usage: [{ attempt: 1, usage }] }, DECEMBER),
    correction(3, { amount: { customerPicoUsd: '7' } }, JANUARY),
    correction(4, { generationId: 'gen-2', number: 1, amount: { customerPicoUsd: '9' } }, JANUARY),
    credit('control-2'),
    credit('control-3'),
    closed(0, '2026-11', { ...credits, ingress: 2, control: 2 }),
    closed(1, '2026-12', { ...credits, ingress: 4, control: 3 }),
  ];
  const writers = [...new Set(records.map((r) => r.event.writer))];

  const inOrder = fc.shuffledSubarray(records, { minLength: records.length }).map((order) => {
    const next = new Map(writers.map((w) => [w, 0]));
    // Within one writer, here a partition of its own, the order is the log's.
    return order.map(({ event: { writer } }) => {
      const own = records.filter((r) => r.event.writer === writer);
      const i = next.get(writer) ?? 0;
      next.set(writer, i + 1);
      return own[i]!;
    });
  });
  const bookAt = (leaves: readonly Said[], pricesKnown = true): readonly Journal[] => {
    const books = new BooksInMemory(pricesKnown ? terms : { pricesOf: () => undefined });
    const journals = leaves.flatMap(({ event }, i) => {
      const place = {
        logId: 'log-1',
        topic: event.writer,
        partition: 0,
        offset: BigInt(event.wseq),
      };
      return books.take({ index: BigInt(i), event, place });
    });
    if (pricesKnown) return journals;
    // The price book comes last of all.
    return [
      ...journals,
      ...['gen-1', 'gen-2'].flatMap((id) => {
        const state = books.generation(id);
        return state === undefined ? [] : (bookDue(state, terms).settled?.journals ?? []);
      }),
    ];
  };
  const byMonth = (journals: readonly Journal[]) =>
    Object.fromEntries(
      ['2026-11', '2026-12', '2027-01'].map((month) => [
        month,
        balance(journals.filter((j) => j.period === month)),
      ]),
    );
  const said = (journals: readonly Journal[]) =>
    journals.map((j) => `${j.period} ${j.kind} ${JSON.stringify(j.postings)}`).sort();

  it.each([
    ['its close is read', true],
    ['its price book comes', false],
  ])('a correction that is read before %s is posted as if it had come later', (_, known) => {
    const expected = bookAt(records);
    expect(byMonth(expected)).toMatchObject({
      '2026-11': { 'customer:org:receivable': '5', 'customer:org:prepaid': '-1000' },
      '2026-12': { 'customer:org:receivable': '895' },
      '2027-01': { 'customer:org:receivable': '-884' },
    });
    fc.assert(
      fc.property(inOrder, (order) => {
        const journals = bookAt(order, known);
        expect(said(journals)).toEqual(said(expected));
        expect(new Set(journals.map((j) => j.id)).size).toBe(journals.length);
        const standing = new Set(journals.map((j) => j.id));
        for (const { reverses } of journals)
          if (reverses !== undefined) expect(standing.has(reverses)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('months', () => {
  it('once closed take nothing more: what is late is posted into the next', () => {
    const said = say('custos.ledger.period_closed.v1', 'ledger', 0, {
      period: '2026-11',
      at: AT,
      logId: 'log-1',
      through: [],
    });
    const again = say('custos.ledger.period_closed.v1', 'ledger', 1, {
      period: '2026-11',
      at: AT,
      logId: 'log-1',
      through: [],
    });
    const journals = book([opened(), said, again, close()]);
    expect(journals.map((j) => [j.kind, j.period, j.effectiveAt])).toEqual([
      ['usage', '2026-12', AT],
    ]);
  });

  it('a generation that nobody saw end is effective when it was received', () => {
    const recovered = close(
      {
        status: 'recovered',
        attempts: [
          outcome({
            outcome: 'unknown',
            usage: { inputTokens: 1, outputTokens: 2, basis: 'progress' },
          }),
        ],
      },
      0,
      'ledger',
      '2026-12-20T10:00:00.000Z',
    );
    expect(book([opened(), recovered])).toMatchObject([
      { effectiveAt: '2026-11-21T09:00:00.000Z', period: '2026-12' },
    ]);
  });
});

describe('the provider’s own figure', () => {
  const differences = (reportedCostPicoUsd: string, endpoint = 'e') => {
    const books = new BooksInMemory(terms);
    books.take({ index: 0n, event: opened().event });
    const priced = close({
      attempts: [
        outcome({
          endpoint,
          usage: {
            inputTokens: 100_000_000,
            outputTokens: 0,
            basis: 'reported',
            reportedCostPicoUsd,
          },
        }),
      ],
    });
    books.take({ index: 1n, event: priced.event });
    return books.lastSettled?.settlement;
  };

  it('is kept beside ours, and a difference beyond the tolerance is noted', () => {
    // Ours: 100,000,000. A hundredth of the larger is tolerated, and always a millionth of a dollar.
    expect(differences('100000000')?.costDifferences).toEqual([]);
    expect(differences('101000000')?.costDifferences).toEqual([]);
    expect(differences('101010102')).toMatchObject({
      flags: ['cost_differs'],
      costDifferences: [
        {
          attempt: 1,
          endpoint: 'e',
          provider: 'acme',
          priceBook: 'b1',
          computedPicoUsd: '100000000',
          reportedPicoUsd: '101010102',
        },
      ],
      attempts: [{ providerCost: { amountPicoUsd: '100000000', reportedPicoUsd: '101010102' } }],
    });
    expect(differences('0')?.costDifferences).toHaveLength(1);
  });

  it('is noted where we have no price at all', () => {
    expect(differences('5', 'unpriced')).toMatchObject({
      flags: ['unpriced', 'cost_differs'],
      costDifferences: [{ reportedPicoUsd: '5' }],
    });
    expect(differences('0', 'unpriced')?.flags).toEqual(['unpriced']);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { AttemptOutcome, GenerationOutcome, UsageData } from '#libs/audit-events';
import { billableUsage } from './billable-usage.js';
import { journalFor, reversalOf } from './journal.js';
import { unseen, type GenerationState } from './life-cycle.js';
import { settle } from './settle.js';

const reported: UsageData = { inputTokens: 10, outputTokens: 5, basis: 'reported' };
const counted: UsageData = { inputTokens: 10, outputTokens: 2, basis: 'counted' };
const progress: UsageData = { inputTokens: 10, outputTokens: 3, basis: 'progress' };
const prices = {
  priceOf: (id: string) =>
    id === 'unpriced' ? undefined : { inputPicoUsdPerToken: 1n, outputPicoUsdPerToken: 10n },
};
const attempt = (over: Partial<AttemptOutcome>): AttemptOutcome => ({
  number: 1,
  requestId: 'gen-x.1',
  endpoint: 'e',
  provider: 'acme',
  region: 'eu',
  simulated: false,
  outcome: 'completed',
  ...over,
});
const closed = (
  status: GenerationOutcome,
  attempts: readonly AttemptOutcome[],
  held = 1_000_000n,
): GenerationState => ({
  ...unseen('gen-x'),
  status,
  opening: {
    writer: 'w',
    organisationId: 'org',
    workspaceId: 'ws',
    keyId: 'key',
    model: 'm',
    priceBook: 'v1',
    hold: {
      at: '',
      amountPicoUsd: held.toString(),
      leases: [{ leaseId: 'l', scope: 'key', id: 'key' }],
    },
  },
  close: { eventId: 'w.1', leafIndex: '1', status, at: '', attempts },
});

describe('the billing rule', () => {
  const bill = (
    over: Partial<AttemptOutcome>,
    status: GenerationOutcome = 'failed',
    stops?: boolean,
  ) => {
    const b = billableUsage(attempt(over), status, stops);
    return [b.rule, b.customer, b.provider, b.providerMayBillMore];
  };

  it.each<[string, unknown[], unknown[]]>([
    ['completed', bill({ usage: reported }, 'completed'), ['as_used', reported, reported, false]],
    [
      'drained to its end after the client left',
      bill({ usage: reported }, 'cancelled', false),
      ['as_used', reported, reported, false],
    ],
    [
      'cancelled where that stops the bill',
      bill({ outcome: 'cancelled', usage: counted }, 'cancelled', true),
      ['cut_short', counted, counted, false],
    ],
    [
      'cancelled where it may not',
      bill({ outcome: 'cancelled', usage: counted }, 'cancelled'),
      ['cut_short', counted, counted, true],
    ],
    [
      'failed before the first content',
      bill({ outcome: 'http_error' }),
      ['zero_completion', undefined, undefined, false],
    ],
    [
      'failed before it, though counted',
      bill({ outcome: 'reset', usage: counted }),
      ['zero_completion', undefined, undefined, true],
    ],
    [
      'failed before it, though the provider reports usage',
      bill({ outcome: 'malformed', usage: reported }),
      ['zero_completion', undefined, reported, false],
    ],
    [
      'failed after it',
      bill({ outcome: 'stream_error', usage: counted, firstTokenAt: 'x' }),
      ['cut_short', counted, counted, true],
    ],
    [
      'never sent',
      bill({ outcome: 'not_dispatched', usage: counted }),
      ['not_dispatched', undefined, undefined, false],
    ],
    [
      'recovered with progress',
      bill({ outcome: 'unknown', usage: progress }, 'recovered'),
      ['from_progress', progress, progress, true],
    ],
    [
      'recovered without',
      bill({ outcome: 'unknown' }, 'recovered'),
      ['usage_unknown', undefined, undefined, true],
    ],
  ])('%s', (_name, is, should) => {
    expect(is).toEqual(should);
  });
});

describe('settle', () => {
  it('charges the customer for the answer and owes each provider its own part', () => {
    const s = settle(
      closed('completed', [
        attempt({ outcome: 'malformed', usage: reported, provider: 'other' }),
        attempt({ number: 2, usage: { ...reported, outputTokens: 6 } }),
      ]),
      prices,
    );
    expect(s).toMatchObject({ customerPicoUsd: '70', flags: [], usage: { outputTokens: 6 } });
    expect(s.postings).toEqual([
      { account: 'customer:org:receivable', amountPicoUsd: '70' },
      { account: 'revenue:usage:m', amountPicoUsd: '-70' },
      { account: 'cogs:provider:acme', amountPicoUsd: '70' },
      { account: 'payable:provider:acme', amountPicoUsd: '-70' },
      { account: 'cogs:provider:other', amountPicoUsd: '60' },
      { account: 'payable:provider:other', amountPicoUsd: '-60' },
    ]);
  });

  it('flags what went over its hold, and what has no price', () => {
    expect(settle(closed('completed', [attempt({ usage: reported })], 59n), prices).flags).toEqual([
      'over_hold',
    ]);
    expect(
      settle(closed('completed', [attempt({ usage: reported, endpoint: 'unpriced' })]), prices),
    ).toMatchObject({ flags: ['unpriced'], customerPicoUsd: '0', postings: [] });
  });
});

describe('any journal', () => {
  const input = fc.record({
    organisationId: fc.constant('o'),
    model: fc.constant('m'),
    payer: fc.constantFrom('prepaid' as const, 'receivable' as const),
    customerPicoUsd: fc.bigInt({ min: 0n, max: 10n ** 18n }),
    providerPicoUsd: fc
      .dictionary(fc.constantFrom('a', 'b', 'c'), fc.bigInt({ min: 0n, max: 10n ** 18n }))
      .map((d) => new Map(Object.entries(d))),
  });
  const sum = (postings: readonly { amountPicoUsd: string }[]): bigint =>
    postings.reduce((s, p) => s + BigInt(p.amountPicoUsd), 0n);

  it('adds up to zero, has no empty posting, and its reversal takes back every account', () => {
    fc.assert(
      fc.property(input, (i) => {
        const postings = journalFor(i);
        expect(sum(postings)).toBe(0n);
        expect(postings.every((p) => p.amountPicoUsd !== '0')).toBe(true);
        expect(postings.length).not.toBe(1);
        for (const account of new Set(postings.map((p) => p.account)))
          expect(
            sum([...postings, ...reversalOf(postings)].filter((p) => p.account === account)),
          ).toBe(0n);
      }),
    );
  });
});

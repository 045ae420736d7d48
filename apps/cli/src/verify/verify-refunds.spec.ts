// Credit that goes back must be what two persons asked for, and what the ledger's record makes of it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { LedgerRefund, RefundGranted } from '#libs/audit-events';
import { stageExport } from '../../../../test/support/export-stage.js';
import { at } from '../../../../test/support/ledger-events.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { BOOKS, Day } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
let stage: string;
beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-refunds-'));
});
afterAll(() => rmSync(stage, { recursive: true }));

const asked = (refundId: string, of: LedgerRefund['of']): LedgerRefund => ({
  refundId,
  organisationId: 'org-1',
  at: at(100),
  author: 'ada',
  approver: 'bob',
  reason: 'the customer leaves',
  of,
});
const AMOUNT = asked('refund-1', { amountPicoUsd: '400' });
const WHOLE = asked('refund-2', { creditId: 'credit-2' });
const GRANTED: readonly RefundGranted[] = [
  { ...AMOUNT, amountPicoUsd: '400', feePicoUsd: '0' },
  { ...WHOLE, amountPicoUsd: '500', feePicoUsd: '80' },
];
const [FIRST, SECOND] = ['8', '9'];

interface Told {
  readonly asks?: readonly LedgerRefund[];
  readonly granted?: readonly RefundGranted[];
  readonly askedBy?: string;
}

/** Two purchases, two refunds. The leaves of what was granted are the eighth and the ninth, counted from 0. */
function day({ asks = [AMOUNT, WHOLE], granted = GRANTED, askedBy = 'control-1' }: Told): Day {
  const made = new Day();
  for (const writer of ['w-1', 'control-1', 'ledger-1']) made.start(writer);
  if (askedBy !== 'control-1') made.beat('w-1');
  else made.beat('control-1');
  for (const n of [1, 2])
    made.say('control-1', 'custos.ledger.credit.v1', 'org-1', {
      creditId: `credit-${n}`,
      organisationId: 'org-1',
      at: at(n),
      amountPicoUsd: n === 1 ? '1000' : '500',
      feePicoUsd: '80',
      fee: { basisPoints: 0, minimumPicoUsd: '80' },
      author: 'ada',
    });
  for (const one of asks) made.say(askedBy, 'custos.ledger.refund.v1', 'org-1', one);
  for (let n = asks.length; n < 2; n++) made.beat('control-1');
  for (const one of granted) made.say('ledger-1', 'custos.ledger.refund_granted.v1', 'org-1', one);
  for (const writer of ['w-1', 'control-1', 'ledger-1']) made.stop(writer);
  return made;
}

async function verified(
  told: Told = {},
  change: (folder: string) => void = () => undefined,
  range?: { readonly firstLeaf: number; readonly endLeaf: number },
): Promise<Report & { readonly code: number }> {
  const folder = mkdtempSync(join(stage, 'case-'));
  const { leaves } = day(told);
  stageExport(folder, { key, leaves, priceBooks: BOOKS, ...(range && { range }) });
  change(folder);
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  try {
    const code = await runVerify(['ledger', folder, '--key', key.verifierKey, '--json']);
    return { code, ...(JSON.parse(said) as Report) };
  } finally {
    spy.mockRestore();
  }
}

interface Line {
  [name: string]: unknown;
  readonly kind: string;
  readonly postings: { account: string; amountPicoUsd: string }[];
}

/** Changes the first refund among the journals that are handed over. */
const plant =
  (change: (refund: Line) => void) =>
  (folder: string): void => {
    const path = join(folder, 'ledger/journals.jsonl');
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    const journals = lines.map((line) => JSON.parse(line) as Line);
    change(journals.find((j) => j.kind === 'refund')!);
    writeFileSync(path, journals.map((j) => `${JSON.stringify(j)}\n`).join(''));
  };

describe('custos verify ledger over refunds', () => {
  it('finds them again', async () => {
    const report = await verified();
    expect(report.faults).toEqual([]);
    expect(report).toMatchObject({ code: 0, checked: { journals: 4, refunds: 2 } });
  });

  it.each<[string, (refund: Line) => void]>([
    [
      'a wrong amount',
      ({ postings }) => {
        for (const p of postings) p.amountPicoUsd = (BigInt(p.amountPicoUsd) * 2n).toString();
      },
    ],
    [
      'another account',
      ({ postings }) => {
        postings.find((p) => p.account.startsWith('customer:'))!.account = 'customer:org-2:prepaid';
      },
    ],
    ['another approver', (refund) => (refund['approver'] = 'eve')],
    ['no approver', (refund) => delete refund['approver']],
    ['another reason', (refund) => (refund['reason'] = 'none')],
  ])('names %s', async (_, change) => {
    expect(await verified({}, plant(change))).toMatchObject({
      code: 1,
      reason: 'altered',
      place: { leafIndex: FIRST },
    });
  });

  it.each<[string, Told, string, RegExp]>([
    ['nobody asked for', { asks: [WHOLE] }, FIRST!, /nobody asked/],
    ['an ingress asked for', { askedBy: 'w-1' }, FIRST!, /nobody asked/],
    [
      'one person asked for alone',
      { asks: [{ ...AMOUNT, approver: 'ada' }, WHOLE] },
      FIRST!,
      /nobody asked/,
    ],
    [
      'is of another sum than was asked for',
      {
        granted: [
          { ...GRANTED[0]!, of: { amountPicoUsd: '401' }, amountPicoUsd: '401' },
          GRANTED[1]!,
        ],
      },
      FIRST!,
      /not what two persons/,
    ],
    [
      'names another person',
      { granted: [{ ...GRANTED[0]!, approver: 'eve' }, GRANTED[1]!] },
      FIRST!,
      /not what two persons/,
    ],
    [
      'goes to another organisation',
      { granted: [{ ...GRANTED[0]!, organisationId: 'org-2' }, GRANTED[1]!] },
      FIRST!,
      /not what two persons/,
    ],
    [
      'is more than was paid for the purchase',
      { granted: [GRANTED[0]!, { ...GRANTED[1]!, feePicoUsd: '81' }] },
      SECOND!,
      /not what was paid/,
    ],
    [
      'is of a purchase that nobody made',
      {
        asks: [AMOUNT, { ...WHOLE, of: { creditId: 'credit-7' } }],
        granted: [GRANTED[0]!, { ...GRANTED[1]!, of: { creditId: 'credit-7' } }],
      },
      SECOND!,
      /nobody made purchase/,
    ],
  ])('names one that %s', async (_, told, leafIndex, message) => {
    const report = await verified(told);
    // What is not there may come behind these leaves; what is there and differs was altered.
    const reason = message.source.startsWith('nobody') ? 'incomplete' : 'altered';
    expect(report).toMatchObject({ code: 1, reason, place: { leafIndex } });
    expect(report.faults?.[0]?.message).toMatch(message);
  });

  it('does not judge what was asked for before the leaves at hand, and says so', async () => {
    const report = await verified({}, undefined, { firstLeaf: 8, endLeaf: 10 });
    expect(report).toMatchObject({ code: 0, checked: { journals: 2 } });
    expect(report.notCovered).toContainEqual(expect.stringMatching(/^refunds:/));
  });
});

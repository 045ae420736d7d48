// What an organisation is asked to pay must follow from the records of its month.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { EventData } from '#libs/audit-events';
import { CompactRange, leafHash } from '#libs/transparency';
import { at, completed, newGenerationId } from '../../../../test/support/ledger-events.js';
import { journalsOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { BOOKS, Day } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

type Invoice = EventData['custos.ledger.invoice_issued.v1'];

const key = newLogKey();
const CENT = 10_000_000_000n;
/** 10 cents of input, 20 of output, and two corrections that take back all but a hundredth of three cents each. */
const LINES = 4;
const PAYABLE = 24n * CENT;
/** A cent of input and two of output. */
const USED = { inputTokens: 10_000, outputTokens: 5_000, basis: 'reported' } as const;
let stage: string;

beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-invoices-'));
});
afterAll(() => rmSync(stage, { recursive: true }));

/** A month with ten generations, two of them corrected; then it is closed. */
function month(): Day {
  const day = new Day();
  for (const writer of ['w-1', 'control-1', 'ledger-1']) day.start(writer);
  for (let i = 0; i < 10; i++) {
    const id = newGenerationId();
    day.open('w-1', id);
    day.close('w-1', id, { attempts: [completed(id, USED)] });
    if (i >= 2) continue;
    day.say('control-1', 'custos.ledger.correction.v1', id, {
      correctionId: `correction-${i}`,
      generationId: id,
      number: 1,
      at: at(900),
      author: 'ada',
      approver: 'bob',
      reason: 'the provider counted twice',
      amount: { customerPicoUsd: '123000000' },
    });
  }
  day.say('ledger-1', 'custos.ledger.period_closed.v1', '2026-11', {
    period: '2026-11',
    at: at(9_000),
    logId: 'spec',
    through: [],
  });
  return day;
}

function sums(day: Day) {
  const range = new CompactRange();
  for (const bytes of day.leaves) range.append(leafHash(bytes));
  const posted = journalsOf(day.leaves, BOOKS).flatMap(({ kind, postings }) =>
    postings
      .filter(({ account }) => account === 'customer:org-1:receivable')
      .map(({ amountPicoUsd }) => ({ kind, amount: BigInt(amountPicoUsd) })),
  );
  const exact = posted.reduce((sum, { amount }) => sum + amount, 0n);
  return { exact, size: String(day.leaves.length), root: `sha256:${range.root().toString('hex')}` };
}

async function verified(
  change: (honest: Invoice) => Partial<Invoice>,
  again?: (honest: Invoice) => Partial<Invoice>,
) {
  const day = month();
  const { exact, size, root } = sums(day);
  const honest: Invoice = {
    number: '2026-11-000001',
    organisationId: 'org-1',
    period: '2026-11',
    at: at(9_100),
    digest: `sha256:${'0'.repeat(64)}`,
    lines: LINES,
    exactPicoUsd: exact.toString(),
    payablePicoUsd: PAYABLE.toString(),
    size,
    root,
  };
  for (const said of again ? [change, again] : [change])
    day.say('ledger-1', 'custos.ledger.invoice_issued.v1', 'org-1', { ...honest, ...said(honest) });
  for (const writer of ['w-1', 'control-1', 'ledger-1']) day.stop(writer);
  const folder = mkdtempSync(join(stage, 'case-'));
  stageExport(folder, { key, leaves: day.leaves, priceBooks: BOOKS });
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await runVerify(['ledger', folder, '--key', key.verifierKey, '--json']);
  spy.mockRestore();
  return { code, exact, ...(JSON.parse(said) as Report) };
}

describe('custos verify ledger over an invoice', () => {
  it('finds its sums again', async () => {
    const report = await verified(() => ({}));
    expect(report.faults).toEqual([]);
    expect(report).toMatchObject({ code: 0, checked: { invoices: 1 } });
  });

  it.each<[string, (honest: Invoice) => Partial<Invoice>, RegExp]>([
    [
      'asks for more than was used, in whole cents',
      (i) => ({
        exactPicoUsd: String(BigInt(i.exactPicoUsd) + CENT),
        payablePicoUsd: String(BigInt(i.payablePicoUsd) + CENT),
      }),
      /asks for \d+ pico-USD, and the journals of 2026-11 make \d+/,
    ],
    ['claims more lines to round by', () => ({ lines: 400 }), /rounds 400 lines/],
    [
      'rounds up what its lines do not make',
      (i) => ({ payablePicoUsd: String(BigInt(i.payablePicoUsd) + CENT) }),
      /is payable with/,
    ],
    [
      'is for somebody who used nothing',
      () => ({ organisationId: 'org-2' }),
      /asks for \d+ pico-USD, and the journals of 2026-11 make 0/,
    ],
  ])('that %s: altered', async (_what, change, message) => {
    const report = await verified(change);
    expect(report).toMatchObject({ code: 1, reason: 'altered' });
    expect(report.faults.map((f) => f.message).join('\n')).toMatch(message);
  });

  it.each<[string, (honest: Invoice) => Partial<Invoice>]>([
    [
      'rounds by more than its lines can',
      (i) => ({ payablePicoUsd: String(BigInt(i.payablePicoUsd) + 100n * CENT) }),
    ],
    [
      'asks for a part of a cent',
      (i) => ({ payablePicoUsd: String(BigInt(i.payablePicoUsd) + 1n) }),
    ],
  ])('that %s: altered, though the books do not take it', async (_what, change) => {
    const report = await verified(change);
    expect(report).toMatchObject({ code: 1, reason: 'altered' });
    expect(report.faults.map((f) => f.message).join()).toMatch(
      /invoice 2026-11-000001 asks for \d+ pico-USD, which the books do not take/,
    );
  });

  it('that is the second one for its month, and asks for something else: altered', async () => {
    const report = await verified(
      () => ({}),
      (i) => ({
        number: '2026-11-000002',
        payablePicoUsd: String(BigInt(i.payablePicoUsd) + CENT),
      }),
    );
    expect(report).toMatchObject({ code: 1, reason: 'altered', faultCount: 1 });
    expect(report.faults[0]?.message).toMatch(
      /invoice 2026-11-000002 asks for \d+ pico-USD, and 2026-11-000001 had asked for \d+/,
    );
  });

  it('that says again what was said, under another number: a note', async () => {
    const report = await verified(
      () => ({}),
      () => ({ number: '2026-11-000002' }),
    );
    expect(report).toMatchObject({
      code: 0,
      notes: [
        expect.stringContaining('invoice 2026-11-000002 says again what 2026-11-000001 had said'),
      ],
    });
  });

  it('that cites another tree: its exact sum is judged, its rounding is said not to be', async () => {
    const root = `sha256:${'1'.repeat(64)}`;
    const moved = await verified(() => ({ root, lines: 400 }));
    expect(moved).toMatchObject({ code: 0 });
    expect(moved.notCovered.join('\n')).toMatch(
      /rounding of invoice 2026-11-000001 .* another tree/,
    );
    const more = await verified((i) => ({
      root,
      exactPicoUsd: String(BigInt(i.exactPicoUsd) + 1n),
    }));
    expect(more).toMatchObject({ code: 1, reason: 'altered' });
  });
});

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { jest } from '@jest/globals';
import { journalsOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
const { leaves, ids } = honestDay();
const journals = journalsOf(leaves, BOOKS);
/** Of the one that most cases change. */
const FIFTH = journals[4]!.id.toString();
const LAST = journals.at(-1)!.id.toString();

interface Line {
  [name: string]: unknown;
  postings: { account: string; amountPicoUsd: string }[];
}

let stage: string;
let folder: string;
let said: string;

beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-ledger-'));
  stageExport(join(stage, 'honest'), { key, leaves, priceBooks: BOOKS });
});
afterAll(() => rmSync(stage, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(stage, 'case-'));
  cpSync(join(stage, 'honest'), folder, { recursive: true });
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function verifyLedger(): Promise<Report & { code: number }> {
  said = '';
  const code = await runVerify(['ledger', folder, '--key', key.verifierKey, '--json']);
  return { code, ...(JSON.parse(said) as Report) };
}

function editLines(file: string, change: (lines: Line[]) => unknown[]): void {
  const path = join(folder, file);
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  const changed = change(lines.map((line) => JSON.parse(line) as Line));
  writeFileSync(path, changed.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

const JOURNALS = 'ledger/journals.jsonl';
const OPENING = 'ledger/opening-balances.jsonl';
const CLOSING = 'ledger/closing-balances.jsonl';
const book = (at: 0 | 1) => `price-books/${BOOKS[at].version.slice(7)}.book`;

describe('custos verify ledger', () => {
  it('finds the books of an honest export again', async () => {
    // A plain one, a fail-over, one corrected with its reversal, one closed before its opening, one corrected by an
    // operator, credit; nothing of the others.
    expect(journals).toHaveLength(300 + 1 + 1 + 3 + 1 + 3 + 1);
    expect(new Set(journals.map((j) => j.kind)).size).toBe(4);
    expect(await verifyLedger()).toMatchObject({
      code: 0,
      holds: true,
      checked: { entries: leaves.length, generations: 307, journals: journals.length },
      notCovered: ['when journals were written down (recordedAt): the ledger’s own word'],
    });
  });

  const corrupt = (name: string, value: unknown) => (lines: Line[]) => {
    lines[4]![name] = value;
    return lines;
  };
  const amount = (line: Line, posting: number, by: bigint): void => {
    const p = line.postings[posting]!;
    p.amountPicoUsd = (BigInt(p.amountPicoUsd) + by).toString();
  };

  it.each<[string, string, (lines: Line[]) => unknown[], string, object]>([
    ['an amount', JOURNALS, (l) => (amount(l[4]!, 0, 1n), l), 'altered', { journalId: FIFTH }],
    [
      'amounts that still add up',
      JOURNALS,
      (l) => (amount(l[9]!, 0, 5n), amount(l[9]!, 1, -5n), l),
      'altered',
      {},
    ],
    [
      'an account',
      JOURNALS,
      (l) => ((l[4]!.postings[0]!.account = 'customer:org-2:receivable'), l),
      'altered',
      { journalId: FIFTH },
    ],
    [
      'a posting dropped',
      JOURNALS,
      (l) => (l[4]!.postings.pop(), l),
      'altered',
      { journalId: FIFTH },
    ],
    ['a kind', JOURNALS, corrupt('kind', 'credit'), 'altered', { journalId: FIFTH }],
    ['a leaf', JOURNALS, corrupt('leafIndex', '1'), 'altered', { journalId: FIFTH }],
    ['a generation', JOURNALS, corrupt('generationId', ids.plain), 'altered', { journalId: FIFTH }],
    [
      'a price book cited',
      JOURNALS,
      corrupt('priceBook', BOOKS[1].version),
      'altered',
      { journalId: FIFTH },
    ],
    [
      'a time',
      JOURNALS,
      corrupt('effectiveAt', '2026-11-22T10:00:00.040Z'),
      'altered',
      { journalId: FIFTH },
    ],
    ['what it takes back', JOURNALS, corrupt('reverses', '4'), 'altered', { journalId: FIFTH }],
    ['an author', JOURNALS, corrupt('author', 'nobody'), 'altered', { journalId: FIFTH }],
    ['an id', JOURNALS, (l) => ((l.at(-1)!['id'] = '99999'), l), 'removed', { journalId: LAST }],
    ['a journal dropped', JOURNALS, (l) => l.toSpliced(4, 1), 'removed', { journalId: FIFTH }],
    ['all journals dropped', JOURNALS, () => [], 'removed', {}],
    [
      'a journal added',
      JOURNALS,
      (l) => [...l, { ...l[0]!, id: '99999', leafIndex: '49999' }],
      'altered',
      { journalId: '99999' },
    ],
    ['a journal twice', JOURNALS, (l) => l.toSpliced(4, 0, l[4]!), 'altered', { journalId: FIFTH }],
    [
      'journals swapped',
      JOURNALS,
      (l) => l.with(4, l[5]!).with(5, l[4]!),
      'reordered',
      { journalId: FIFTH },
    ],
    [
      'a line that is no journal',
      JOURNALS,
      (l) => l.with(4, { id: 7 } as never),
      'altered',
      { line: 5 },
    ],
    [
      'an opening balance',
      OPENING,
      () => [{ account: 'revenue:usage:acme/one', amountPicoUsd: '5' }],
      'altered',
      { file: OPENING, account: 'revenue:usage:acme/one' },
    ],
    [
      'a closing balance',
      CLOSING,
      (l) => ((l[0]!['amountPicoUsd'] = '17'), l),
      'altered',
      { file: CLOSING },
    ],
    ['a closing balance dropped', CLOSING, (l) => l.slice(1), 'removed', { file: CLOSING }],
  ])('names %s', async (_name, file, change, reason, place) => {
    editLines(file, change);
    expect(await verifyLedger()).toMatchObject({ code: 1, holds: false, reason, place });
  });

  it.each([JOURNALS, OPENING, CLOSING, book(1)])('names %s where it is missing', async (file) => {
    rmSync(join(folder, file));
    expect(await verifyLedger()).toMatchObject({ code: 1, reason: 'incomplete', place: { file } });
  });

  it('names a price book that is not the one cited', async () => {
    const text = readFileSync(join(folder, book(1)), 'utf8');
    writeFileSync(join(folder, book(1)), text.replace('5000000', '6000000'));
    const report = await verifyLedger();
    expect(report).toMatchObject({ reason: 'altered', place: { file: book(1) }, faultCount: 1 });
    // The amounts that would follow from it are not judged.
    expect(report.notCovered).toContain('amounts of generations without a price book');
  });

  it('blames the log first where a record was changed to fit', async () => {
    const file = join(folder, 'tile/entries/000');
    const bytes = readFileSync(file);
    bytes[bytes.indexOf('"outputTokens":50') + 16] = 0x31;
    writeFileSync(file, bytes);
    expect(await verifyLedger()).toMatchObject({ reason: 'altered', place: { leafIndex: '3' } });
  });

  it('judges a part of the log by what is in it', async () => {
    rmSync(folder, { recursive: true });
    // Begins between an opening and its close, and ends between another two.
    const closeFrom = (from: number): number =>
      leaves.findIndex((leaf, i) => i >= from && leaf.includes('.generation.closed.'));
    const range = { firstLeaf: closeFrom(101), endLeaf: closeFrom(400) };
    stageExport(folder, { key, leaves, priceBooks: BOOKS, range });
    const report = await verifyLedger();
    expect(report).toMatchObject({ code: 0, faultCount: 0 });
    expect(report.notCovered).toEqual(
      expect.arrayContaining([
        'opening balances: they follow from leaves before these',
        'amounts of generations that were opened outside these leaves',
      ]),
    );
    editLines(JOURNALS, (l) => l.toSpliced(20, 1));
    expect(await verifyLedger()).toMatchObject({ code: 1, reason: 'removed' });
  });

  it('names an edited opening balance of a part', async () => {
    rmSync(folder, { recursive: true });
    const range = { firstLeaf: 100, endLeaf: 400 };
    stageExport(folder, { key, leaves, priceBooks: BOOKS, range });
    editLines(OPENING, (l) => ((l[0]!['amountPicoUsd'] = '17'), l));
    expect(await verifyLedger()).toMatchObject({
      code: 1,
      reason: 'altered',
      place: { file: OPENING },
    });
  });

  it('accepts that a price book came late: what was never written needs no reversal', async () => {
    const last = journals.findLast((j) => j.generationId === ids.corrected && j.kind === 'usage')!;
    editLines(JOURNALS, (lines) =>
      lines.filter((j) => j['generationId'] !== ids.corrected || j['id'] === last.id.toString()),
    );
    const manifest = join(folder, 'manifest.json');
    const counted = (n: number): string => `"journals":${n}`;
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, text.replace(counted(journals.length), counted(journals.length - 2)));
    expect(await verifyLedger()).toMatchObject({ code: 0 });
  });
});

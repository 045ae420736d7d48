import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { decodeEntryBundle, encodeEntryBundle } from '#libs/transparency';
import { checkpointOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { runVerify } from './verify.js';

/** Three full tiles and a piece of a fourth, so that there are two levels. */
const SIZE = 3 * 256 + 77;
const leaves = Array.from({ length: SIZE }, (_, i) => Buffer.from(`{"entry":${i}}`.padEnd(80)));
const key = newLogKey();

let stage: string;
let folder: string;
let said: string;

beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-log-'));
  stageExport(join(stage, 'honest'), { key, leaves, history: [1, 256, 700] });
});
afterAll(() => rmSync(stage, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(stage, 'case-'));
  cpSync(join(stage, 'honest'), folder, { recursive: true });
  said = '';
  for (const stream of [process.stdout, process.stderr])
    jest.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function verifyLog(...more: string[]): Promise<Report & { code: number }> {
  said = '';
  const code = await runVerify(['log', folder, '--key', key.verifierKey, '--json', ...more]);
  return { code, ...(JSON.parse(said) as Report) };
}

function edit(file: string, change: (bytes: Buffer) => Uint8Array | string): void {
  const path = join(folder, file);
  writeFileSync(path, change(readFileSync(path)));
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at]! ^= 1;
  return bytes;
};

describe('custos verify log', () => {
  it('holds for an honest export and says what it saw', async () => {
    expect(await verifyLog()).toMatchObject({
      code: 0,
      holds: true,
      faultCount: 0,
      checked: { origin: key.origin, size: SIZE, entries: SIZE, earlierCheckpoints: 3 },
      notCovered: [],
    });
  });

  it('holds for a part and says what is not covered', async () => {
    rmSync(folder, { recursive: true });
    stageExport(folder, { key, leaves, range: { firstLeaf: 300, endLeaf: 600 } });
    expect(await verifyLog()).toMatchObject({
      code: 0,
      checked: { entries: 300 },
      notCovered: ['entries of the leaves before 300', 'entries of the leaves from 600'],
    });
  });

  it.each([
    ['one leaf', 1],
    ['a full tile', 256],
    ['one more', 257],
    ['a level of full tiles', 65_536],
    ['no leaf at all', 0],
  ])('holds for a tree of %s', async (_name, size) => {
    rmSync(folder, { recursive: true });
    const few = Array.from({ length: size }, (_, i) => Buffer.from(`entry ${i}`));
    stageExport(folder, { key, leaves: few });
    expect(await verifyLog()).toMatchObject({ code: 0, checked: { entries: size } });
  });

  const BUNDLE = 'tile/entries/001';
  const LAST = 'tile/entries/003.p/77';
  const swap = (a: number, b: number) => (bytes: Buffer) => {
    const entries = decodeEntryBundle(bytes);
    [entries[a], entries[b]] = [entries[b]!, entries[a]!];
    return encodeEntryBundle(entries);
  };
  const without = (at: number) => (bytes: Buffer) =>
    encodeEntryBundle(decodeEntryBundle(bytes).toSpliced(at, 1));
  const cut = (by: number) => (bytes: Buffer) => bytes.subarray(0, bytes.length - by);

  it.each<[string, string, (bytes: Buffer) => Uint8Array | string, string, object]>([
    ['a bit of an entry', BUNDLE, flip(5 * 82 + 40), 'altered', { leafIndex: '261' }],
    ['a bit of the last entry', LAST, flip(76 * 82 + 40), 'altered', { leafIndex: '844' }],
    ['the low byte of a length', BUNDLE, flip(5 * 82 + 1), 'altered', { leafIndex: '261' }],
    ['the high byte of a length', BUNDLE, flip(5 * 82), 'altered', { leafIndex: '261' }],
    ['the length of the last entry', LAST, flip(76 * 82), 'altered', { leafIndex: '844' }],
    ['two entries swapped', BUNDLE, swap(3, 200), 'reordered', { leafIndex: '259' }],
    ['an entry dropped', BUNDLE, without(7), 'removed', { leafIndex: '263' }],
    ['the last entry dropped', BUNDLE, without(255), 'removed', { leafIndex: '511' }],
    [
      'an entry dropped and one added',
      BUNDLE,
      (b) => encodeEntryBundle([...decodeEntryBundle(b).toSpliced(9, 1), Buffer.from('x')]),
      'removed',
      { leafIndex: '265' },
    ],
    [
      'an entry added',
      LAST,
      (b) => encodeEntryBundle([...decodeEntryBundle(b), Buffer.from('x')]),
      'altered',
      { file: LAST },
    ],
    ['a bundle cut off', BUNDLE, cut(30), 'removed', { leafIndex: '511' }],
    ['a bundle cut off at an entry', BUNDLE, cut(82), 'removed', { leafIndex: '511' }],
    ['an empty bundle', BUNDLE, () => '', 'removed', { leafIndex: '256' }],
    ['a bit of a hash tile', 'tile/0/001', flip(99), 'altered', { file: 'tile/0/001' }],
    [
      'a bit of the last hash tile',
      'tile/0/003.p/77',
      flip(99),
      'altered',
      { file: 'tile/0/003.p/77' },
    ],
    ['a bit of an upper tile', 'tile/1/000.p/3', flip(40), 'altered', { file: 'tile/1/000.p/3' }],
    [
      'bytes behind a bundle',
      BUNDLE,
      (b) => Buffer.concat([b, Buffer.of(0, 0)]),
      'altered',
      { file: BUNDLE },
    ],
    [
      'bytes behind a tile',
      'tile/0/002',
      (b) => Buffer.concat([b, b]),
      'altered',
      { file: 'tile/0/002' },
    ],
    [
      'bytes behind the last tile',
      'tile/0/003.p/77',
      (b) => Buffer.concat([b, b]),
      'altered',
      { file: 'tile/0/003.p/77' },
    ],
    ['a tile cut off', 'tile/0/002', cut(32), 'removed', { file: 'tile/0/002' }],
    ['the last tile cut off', 'tile/0/003.p/77', cut(5), 'removed', { file: 'tile/0/003.p/77' }],
    ['an upper tile cut off', 'tile/1/000.p/3', cut(32), 'removed', { file: 'tile/1/000.p/3' }],
    [
      'a signature',
      'checkpoint',
      (b) => b.toString().replace(/ ([^ ])([^ ]*)\n$/, ' B$2\n'),
      'unsigned',
      { file: 'checkpoint' },
    ],
    [
      'a root',
      'checkpoint',
      (b) => {
        const lines = b.toString().split('\n');
        return [lines[0], lines[1], Buffer.alloc(32).toString('base64'), ...lines.slice(3)].join(
          '\n',
        );
      },
      'unsigned',
      { file: 'checkpoint' },
    ],
    [
      'no signature',
      'checkpoint',
      (b) => `${b.toString().split('\n\n')[0]!}\n`,
      'unsigned',
      { file: 'checkpoint' },
    ],
    [
      'a checkpoint of the history',
      'checkpoints.jsonl',
      (b) =>
        b
          .toString()
          .replace('AAAA', 'AAAB')
          .replace(/"note":"([^\\]*)/, '"note":"$1x'),
      'unsigned',
      { file: 'checkpoints.jsonl', line: 1 },
    ],
    [
      'the manifest’s origin',
      'manifest.json',
      (b) => b.toString().replace('log.example/audit/1"', 'log.example/audit/2"'),
      'altered',
      { file: 'manifest.json' },
    ],
    [
      'the manifest’s size',
      'manifest.json',
      (b) => b.toString().replace('"size":"845"', '"size":"846"'),
      'altered',
      { file: 'manifest.json' },
    ],
    ['the manifest’s form', 'manifest.json', flip(0), 'altered', { file: 'manifest.json' }],
  ])('names %s', async (_name, file, change, reason, place) => {
    edit(file, change);
    expect(await verifyLog()).toMatchObject({ code: 1, holds: false, reason, place });
  });

  it.each([
    ['a bundle', BUNDLE, { leafIndex: '256' }],
    ['the last bundle', LAST, { leafIndex: '768' }],
    ['a hash tile', 'tile/0/000', { file: 'tile/0/000' }],
    ['the last hash tile', 'tile/0/003.p/77', { file: 'tile/0/003.p/77' }],
    ['an upper tile', 'tile/1/000.p/3', { file: 'tile/1/000.p/3' }],
  ])('names %s that is missing', async (_name, file, place) => {
    rmSync(join(folder, file));
    const report = await verifyLog();
    expect(report).toMatchObject({ code: 1, reason: 'removed', place, faultCount: 1 });
  });

  it('blames one byte of a tile on that tile alone', async () => {
    edit('tile/1/000.p/3', flip(40));
    expect(await verifyLog()).toMatchObject({ faultCount: 1, checked: { entries: SIZE } });
  });

  it('names entries swapped between bundles, and bundles swapped', async () => {
    const [a, b] = [join(folder, 'tile/entries/000'), join(folder, BUNDLE)];
    const [first, second] = [
      decodeEntryBundle(readFileSync(a)),
      decodeEntryBundle(readFileSync(b)),
    ];
    [first[9], second[8]] = [second[8]!, first[9]!];
    writeFileSync(a, encodeEntryBundle(first));
    writeFileSync(b, encodeEntryBundle(second));
    expect(await verifyLog()).toMatchObject({
      reason: 'reordered',
      faultCount: 2,
      faults: [{ place: { leafIndex: '9' } }, { place: { leafIndex: '264' } }],
    });
    writeFileSync(a, encodeEntryBundle(leaves.slice(256, 512)));
    writeFileSync(b, encodeEntryBundle(leaves.slice(0, 256)));
    expect(await verifyLog()).toMatchObject({ reason: 'reordered', faultCount: 512 });
  });

  it('names a checkpoint that is missing', async () => {
    rmSync(join(folder, 'checkpoint'));
    expect(await verifyLog()).toMatchObject({ code: 1, reason: 'incomplete' });
  });

  it('takes no checkpoint of another origin, nor of another key', async () => {
    const other = newLogKey('log.example/audit/2');
    writeFileSync(join(folder, 'checkpoint'), checkpointOf(leaves, other));
    expect(await verifyLog()).toMatchObject({ code: 1, reason: 'unsigned' });
    // Signed by the right key, but as another log's.
    writeFileSync(
      join(folder, 'checkpoint'),
      checkpointOf(leaves, { ...key, origin: other.origin }),
    );
    expect(await verifyLog()).toMatchObject({ code: 1, reason: 'unsigned' });
  });

  describe('a log forked with its own key', () => {
    const fork = leaves.with(10, Buffer.from('another story'));

    it.each([
      ['as large', SIZE],
      ['smaller', 600],
    ])('is caught by the history where the checkpoint is %s', async (_name, size) => {
      writeFileSync(join(folder, 'checkpoint'), checkpointOf(fork, key, size));
      const report = await verifyLog();
      expect(report).toMatchObject({ code: 1 });
      expect(report.faults.map((f) => f.reason)).toContain('equivocated');
    });

    it.each([
      ['smaller', fork, 500],
      ['as large', fork, SIZE],
    ])('is caught by a kept checkpoint that is %s', async (_name, other, size) => {
      const kept = join(folder, 'kept');
      writeFileSync(kept, checkpointOf(other, key, size));
      expect(await verifyLog('--previous', kept)).toMatchObject({ code: 1, reason: 'equivocated' });
    });

    it('is not what an older export is called: it is incomplete', async () => {
      const kept = join(folder, 'kept');
      writeFileSync(kept, checkpointOf([...leaves, Buffer.from('later')], key, SIZE + 1));
      expect(await verifyLog('--previous', kept)).toMatchObject({ code: 1, reason: 'incomplete' });
    });

    it('holds with a kept checkpoint of the same history', async () => {
      const kept = join(folder, 'kept');
      writeFileSync(kept, checkpointOf(leaves, key, 500));
      expect(await verifyLog('--previous', kept)).toMatchObject({
        code: 0,
        checked: { earlierCheckpoints: 4 },
      });
    });

    it('is altered bytes where nothing signed speaks for them', async () => {
      rmSync(folder, { recursive: true });
      stageExport(folder, { key, leaves: fork });
      writeFileSync(join(folder, 'checkpoint'), checkpointOf(leaves, key));
      rmSync(join(folder, 'checkpoints.jsonl'));
      expect(await verifyLog()).toMatchObject({ code: 1, reason: 'altered', faultCount: 1 });
    });
  });

  it('prints a report for people', async () => {
    edit(BUNDLE, flip(5 * 82 + 40));
    said = '';
    expect(await runVerify(['log', folder, '--key', key.verifierKey])).toBe(1);
    expect(said).toContain('log: falls short: altered\n');
    expect(said).toContain(`  altered · ${BUNDLE}, leaf 261: `);
  });

  it('knows bad usage', async () => {
    expect(await runVerify([])).toBe(2);
    expect(await runVerify(['nothing'])).toBe(2);
    expect(await runVerify(['log'])).toBe(2);
    expect(await runVerify(['log', folder])).toBe(2);
    expect(await runVerify(['log', folder, '--key', 'no+key'])).toBe(2);
    expect(await runVerify(['log', join(folder, 'nowhere'), '--key', key.verifierKey])).toBe(2);
    expect(said).toContain('usage: custos verify log');
  });
});

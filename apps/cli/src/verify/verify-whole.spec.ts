// An export's manifest is unsigned: whoever hands it over can narrow the range, or leave time stamps out.
import { createHash } from 'node:crypto';
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { at } from '../../../../test/support/ledger-events.js';
import { parseTilePath, TILE_WIDTH } from '#libs/transparency';
import { citedFile } from '../../../../test/support/cited-file.js';
import { checkpointOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { BOOKS, Day, honestDay } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
const { leaves } = honestDay(300);
const SIZE = leaves.length;

let stage: string;
let folder: string;
beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-whole-'));
  stageExport(join(stage, 'honest'), { key, leaves, priceBooks: BOOKS, history: [7] });
});
afterAll(() => rmSync(stage, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(stage, 'case-'));
  cpSync(join(stage, 'honest'), folder, { recursive: true });
});

async function run(mode: string, ...more: string[]): Promise<Report & { code: number }> {
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await runVerify([mode, folder, '--key', key.verifierKey, '--json', ...more]);
  spy.mockRestore();
  return { code, ...(JSON.parse(said) as Report) };
}

const put = (path: string, content: string | Uint8Array): void =>
  writeFileSync(join(folder, path), content);

/** An export of fewer records, as far as its manifest says; with what these cite of before. */
function narrow(firstLeaf: number, endLeaf: number): void {
  const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as object;
  const range = { firstLeaf: String(firstLeaf), endLeaf: String(endLeaf) };
  const note = readFileSync(join(folder, 'checkpoint'), 'utf8');
  const before = firstLeaf > 0 ? citedFile(leaves, { firstLeaf, endLeaf }, note) : undefined;
  if (before) put('cited.jsonl', before.content);
  const cited = before && { cited: before.cited };
  put('manifest.json', JSON.stringify({ ...manifest, ...range, ...cited }));
}

/** What a range does not have must not lie there either. */
function removeBundlesOutside(firstLeaf: number, endLeaf: number): void {
  for (const path of globSync('tile/entries/**/*', { cwd: folder })) {
    const found = parseTilePath(path);
    if (found === undefined) continue;
    const from = Number(found.index) * TILE_WIDTH;
    if (from >= endLeaf || from + found.width <= firstLeaf) rmSync(join(folder, path));
  }
}

describe('custos verify --whole', () => {
  it.each(['log', 'ledger', 'writers'])('%s: holds for everything', async (mode) => {
    expect(await run(mode, '--whole')).toMatchObject({ code: 0, checked: { size: SIZE } });
  });

  it.each([
    ['its beginning', 256, SIZE],
    ['its end', 0, SIZE - 1],
    ['everything', 5, 5],
  ])('log: a manifest that takes away %s is incomplete, and only that says so', async (_, a, b) => {
    narrow(a, b);
    removeBundlesOutside(a, b);
    expect(await run('log')).toMatchObject({ code: 0 });
    expect(await run('log', '--whole')).toMatchObject({ code: 1, reason: 'incomplete' });
  });

  it('log: a manifest that takes away a bundle that is there is altered', async () => {
    narrow(256, SIZE);
    expect(await run('log')).toMatchObject({
      reason: 'altered',
      place: { file: 'tile/entries/000' },
    });
  });

  it('log: so is an export without a manifest that says where entries begin', async () => {
    rmSync(join(folder, 'manifest.json'));
    put('minimum-index', '256\n');
    expect(await run('log')).toMatchObject({ code: 0 });
    expect(await run('log', '--whole')).toMatchObject({ code: 1, reason: 'incomplete' });
  });

  it.each(['ledger', 'writers'])('%s: a part is incomplete', async (mode) => {
    rmSync(folder, { recursive: true });
    const range = { firstLeaf: 256, endLeaf: SIZE };
    stageExport(folder, { key, leaves, priceBooks: BOOKS, range });
    expect(await run(mode, '--whole')).toMatchObject({ code: 1, reason: 'incomplete' });
  });
});

describe('what is only claimed', () => {
  it('is printed apart from what is proved', async () => {
    const report = await run('log');
    expect(report.claimed).toEqual({
      ledger: 'main',
      'asked for': 'records from 2026-11-21T00:00:00.000Z to 2026-11-22T00:00:00.000Z',
      'earlier checkpoints': 'the 2 of checkpoints.jsonl were all',
      'time stamps': 'the 0 that are here were all',
    });
  });
});

describe('time stamps in an export', () => {
  /** As far as anything here looks into a token: it has the digest of what it is over. */
  const token = (note: string): Buffer =>
    Buffer.concat([
      Buffer.alloc(40, 1),
      createHash('sha256').update(note).digest(),
      Buffer.alloc(9),
    ]);
  const early = checkpointOf(leaves, key, 30);
  beforeEach(() => {
    mkdirSync(join(folder, 'time-stamps'));
    put('time-stamps/30.note', early);
    put('time-stamps/30.tsr', token(early));
    put('time-stamps/30-2.tsr', token(early));
  });

  it('are over checkpoints of this log', async () => {
    const report = await run('log');
    expect(report).toMatchObject({ code: 0, checked: { earlierCheckpoints: 2 } });
    expect(report.claimed['time stamps']).toBe('the 2 that are here were all');
    expect(report.notCovered).toEqual([expect.stringContaining('openssl ts -verify')]);
  });

  it.each<[string, () => void, string]>([
    ['one over something else', () => put('time-stamps/30.tsr', token('x')), 'altered'],
    ['one over nothing', () => rmSync(join(folder, 'time-stamps/30.note')), 'incomplete'],
    [
      'one over a checkpoint of another size',
      () => put('time-stamps/30.note', checkpointOf(leaves, key, 31)),
      'altered',
    ],
    [
      'one over a checkpoint that nobody signed',
      () => put('time-stamps/30.note', early.replace('\n30\n', '\n31\n')),
      'unsigned',
    ],
    [
      'one over another history',
      () => {
        const other = checkpointOf([...leaves.slice(1), leaves[0]!], key, 30);
        put('time-stamps/30.note', other);
        for (const name of ['30.tsr', '30-2.tsr']) put(`time-stamps/${name}`, token(other));
      },
      'equivocated',
    ],
  ])('%s is a fault', async (_what, change, reason) => {
    change();
    expect(await run('log')).toMatchObject({ code: 1, reason });
  });
});

describe('one wrong bit', () => {
  const early = checkpointOf(leaves, key, 30);
  const digest = createHash('sha256').update(early).digest();

  it.each([
    ['the checkpoint that a time stamp is over', 'time-stamps/30.note', Buffer.from(early)],
    ['what a time stamp is over', 'time-stamps/30.tsr', digest],
    ['an earlier checkpoint', 'checkpoints.jsonl', undefined],
  ])('in %s is found', async (_what, file, content) => {
    mkdirSync(join(folder, 'time-stamps'));
    put('time-stamps/30.note', early);
    put('time-stamps/30.tsr', digest);
    const honest = content ?? readFileSync(join(folder, file));
    const held: number[] = [];
    for (let at = 0; at < honest.length; at += Math.ceil(honest.length / 24)) {
      const bytes = Buffer.from(honest);
      bytes[at]! ^= 1 << (at % 7);
      put(file, bytes);
      if ((await run('log')).code === 0) held.push(at);
    }
    expect(held).toEqual([]);
  });
});

it('custos verify log names the signed heads that the log goes on without', async () => {
  const day = new Day();
  day.start('ledger-4');
  day.say('ledger-4', 'custos.log.head_given_up.v1', 'log', {
    at: at(1),
    origin: key.origin,
    size: '1000',
    root: `sha256:${'2'.repeat(64)}`,
    author: 'key:a',
    role: 'admin',
    reason: 'restored from the backup of 10:00',
  });
  stageExport(folder, { key, leaves: day.leaves });
  rmSync(join(folder, 'ledger'), { recursive: true });
  expect((await run('log')).notes).toEqual([
    `leaf 1: key:a (admin) gave up the signed head of size 1000, root sha256:${'2'.repeat(64)}: restored from the backup of 10:00`,
  ]);
});

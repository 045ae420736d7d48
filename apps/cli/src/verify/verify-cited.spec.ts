// What an export carries of before its range, and what is done to it by whoever hands it over.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { citedRow, verdictOf, type CitedRow } from '../../../../test/support/cited-file.js';
import { checkpointOf, stageExport } from '../../../../test/support/export-stage.js';
import { newGenerationId } from '../../../../test/support/ledger-events.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { citedStage } from './cited-stage.spec-support.js';
import type { Report } from './report.js';
import { runVerify } from './verify.js';

const FILE = 'cited.jsonl';
const key = newLogKey();
const { leaves, range, digests, uncited, absent } = citedStage(newGenerationId);

let stage: string;
let folder: string;
beforeAll(() => {
  stage = mkdtempSync(join(tmpdir(), 'custos-verify-cited-'));
  stageExport(join(stage, 'honest'), { key, leaves, range });
});
afterAll(() => rmSync(stage, { recursive: true }));
beforeEach(() => {
  folder = mkdtempSync(join(stage, 'case-'));
  cpSync(join(stage, 'honest'), folder, { recursive: true });
});

async function log(): Promise<Report & { code: number }> {
  let said = '';
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
  const code = await runVerify(['log', folder, '--key', key.verifierKey, '--json']);
  spy.mockRestore();
  return { code, ...(JSON.parse(said) as Report) };
}

type Row = { -readonly [K in keyof CitedRow]: CitedRow[K] };

const text = (file: string): string => readFileSync(join(folder, file), 'utf8');
const put = (file: string, content: string): void => writeFileSync(join(folder, file), content);
const rows = (): Row[] =>
  text(FILE)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

/** Who hands an export over writes its manifest as well: it fits what he has done. */
function rewrite(change: (rows: Row[]) => unknown): void {
  const all = rows();
  const given = change(all);
  const changed = Array.isArray(given) ? (given as Row[]) : all;
  const content = changed.map((row) => `${JSON.stringify(row)}\n`).join('');
  put(FILE, content);
  const records = changed.filter((row) => row.bytes !== undefined).length;
  const sha256 = createHash('sha256').update(content).digest('hex');
  manifest((m) => ({ ...m, cited: { records, absent: changed.length - records, sha256 } }));
}

function manifest(change: (m: Record<string, unknown>) => object): void {
  const said = JSON.parse(text('manifest.json')) as Record<string, unknown>;
  put('manifest.json', JSON.stringify(change(said)));
}

describe('what an export carries of before its range', () => {
  it('is each record that is cited, once, and proved to be its leaf', async () => {
    const [first, second, third] = rows();
    expect(rows()).toHaveLength(3);
    expect(new Set([first?.digest, second?.digest])).toEqual(new Set(digests));
    expect(Number(first?.leafIndex)).toBeLessThan(Number(second?.leafIndex));
    expect(third).toEqual({ type: 'custos.decision.recorded.v1', digest: absent });
    const report = await log();
    expect(report).toMatchObject({ code: 0, faults: [], checked: { citedRecords: 2 } });
    const notHere = report.notCovered.filter((line) => line.includes('sha256:'));
    expect(notHere).toHaveLength(1);
    expect(notHere[0]).toContain(absent);
  });

  it('is nothing where the range begins with the first leaf', async () => {
    rmSync(folder, { recursive: true });
    stageExport(folder, { key, leaves });
    expect(await log()).toMatchObject({ code: 0, notCovered: [] });
    put(FILE, '');
    expect(await log()).toMatchObject({ code: 1, reason: 'altered', place: { file: FILE } });
  });

  it('is nothing where nothing of before is cited', async () => {
    rmSync(folder, { recursive: true });
    const last = leaves.length - 2;
    stageExport(folder, { key, leaves, range: { firstLeaf: last, endLeaf: leaves.length } });
    expect(text(FILE)).toBe('');
    expect(await log()).toMatchObject({ code: 0, checked: { citedRecords: 0 } });
  });
});

const flip = (base64: string, at: number): string => {
  const bytes = Buffer.from(base64, 'base64');
  bytes[at]! ^= 1;
  return bytes.toString('base64');
};
const inProof = (row: Row, from: RegExp | string, to: string): string =>
  (row.proof = row.proof!.replace(from, to));
const hashOfProof = /(?<=index \d+\n)(.+)/;

describe('is found, by its name, though the manifest fits it', () => {
  it.each<[string, string, (all: Row[]) => unknown, RegExp]>([
    [
      'a byte of a record',
      'altered',
      ([row]) => (row!.bytes = flip(row!.bytes!, 300)),
      /lead to the signed root/,
    ],
    [
      'a byte of a proof',
      'altered',
      ([row]) => inProof(row!, hashOfProof, flip(hashOfProof.exec(row!.proof!)![0], 3)),
      /lead to the signed root/,
    ],
    [
      'an index',
      'altered',
      ([row]) => (row!.leafIndex = String(Number(row!.leafIndex) - 1)),
      /the proof is for leaf/,
    ],
    [
      'an index, and that of its proof',
      'altered',
      ([row]) => {
        const leaf = Number(row!.leafIndex);
        row!.leafIndex = String(leaf - 1);
        inProof(row!, `index ${leaf}\n`, `index ${leaf - 1}\n`);
      },
      /lead to the signed root/,
    ],
    [
      'a digest',
      'altered',
      ([row]) => (row!.digest = `sha256:${'e'.repeat(64)}`),
      /no record of the range cites it/,
    ],
    [
      'a digest for another that is cited',
      'altered',
      (all) => {
        const [a, b] = all;
        [a!.digest, b!.digest] = [b!.digest, a!.digest];
        [a!.type, b!.type] = [b!.type, a!.type];
      },
      /does not say what has the digest/,
    ],
    ['a type', 'altered', ([row]) => (row!.type = 'custos.writer.started.v1' as never), /no type/],
    ['a line taken out', 'removed', (all) => all.slice(1), /which was said before the range/],
    ['a line twice', 'altered', (all) => [all[0]!, ...all], /has had its line/],
    ['lines in another order', 'reordered', ([a, b, c]) => [b!, a!, c!], /order of leaves/],
    [
      'a record that nothing cites',
      'altered',
      (all) => [citedRow(leaves, uncited, text('checkpoint')), ...all],
      /no record of the range cites it/,
    ],
    [
      'a line for something gone that nothing cites',
      'altered',
      (all) => [
        ...all,
        { type: 'custos.decision.recorded.v1', digest: `sha256:${'e'.repeat(64)}` },
      ],
      /no record of the range cites it/,
    ],
    [
      'a proof under an earlier checkpoint',
      'altered',
      (all) => {
        const [row] = all;
        const before = leaves.slice(0, 200);
        all[0] = citedRow(before, Number(row!.leafIndex), checkpointOf(leaves, key, 200));
      },
      /another checkpoint/,
    ],
    [
      'a proof under a checkpoint of another key',
      'unsigned',
      (all) => {
        const [row] = all;
        const forged = checkpointOf(leaves, { ...newLogKey(), origin: key.origin });
        all[0] = citedRow(leaves, Number(row!.leafIndex), forged);
      },
      /no checkpoint signed/,
    ],
    [
      'a proof that is none',
      'altered',
      ([row]) => inProof(row!, 'c2sp.org', 'example.org'),
      /not a text/,
    ],
  ])('%s', async (_, reason, change, message) => {
    rewrite(change as (all: Row[]) => unknown);
    const report = await log();
    expect(report).toMatchObject({ code: 1, reason });
    expect(report.faults.map((fault) => fault.message).join('\n')).toMatch(message);
    expect(report.faults[0]!.place.file).toBe(FILE);
  });

  it('a record said falsely under a digest that is cited', async () => {
    rmSync(folder, { recursive: true });
    const leaf = leaves.findLastIndex(
      (bytes, at) => at < range.firstLeaf && bytes.includes(`"subject":"${digests[0]}"`),
    );
    const said = leaves[leaf]!.toString().replace(
      '"permittedBy":["base.permit"]',
      '"permittedBy":["base.other"]',
    );
    const poisoned = leaves.with(leaf, Buffer.from(said));
    stageExport(folder, { key, leaves: poisoned, range });
    // The other writer's saying is the true one.
    expect(await log()).toMatchObject({ code: 0, checked: { citedRecords: 2 } });
    const note = text('checkpoint');
    const lying = { ...citedRow(poisoned, leaf, note), digest: digests[0] };
    rewrite((all) => {
      const place = all.findIndex((row) => row.digest === digests[0]);
      return all.toSpliced(place, 1).toSpliced(-1, 0, { ...lying, type: all[place]!.type });
    });
    const report = await log();
    expect(report).toMatchObject({ code: 1, reason: 'altered' });
    expect(report.faults[0]!.message).toContain('does not say what has the digest');
  });
});

describe('is found where', () => {
  it('the file is missing', async () => {
    rmSync(join(folder, FILE));
    expect(await log()).toMatchObject({ code: 1, reason: 'removed', place: { file: FILE } });
  });

  it('nothing is said of it: what is cited was not handed over', async () => {
    rmSync(join(folder, FILE));
    manifest((m) => ({ ...m, cited: undefined }));
    const report = await log();
    expect(report).toMatchObject({
      code: 1,
      reason: 'incomplete',
      place: { file: 'manifest.json' },
    });
    expect(report.faultCount).toBe(3);
  });

  it('nothing is said of it, and it is there', async () => {
    manifest((m) => ({ ...m, cited: undefined }));
    expect(await log()).toMatchObject({ code: 1, reason: 'altered', place: { file: FILE } });
  });

  it.each(['records', 'absent', 'sha256'])('the manifest says otherwise: %s', async (member) => {
    manifest((m) => {
      const cited = m['cited'] as Record<string, unknown>;
      return { ...m, cited: { ...cited, [member]: member === 'sha256' ? 'a'.repeat(64) : 7 } };
    });
    const reason = member === 'sha256' ? 'altered' : 'removed';
    expect(await log()).toMatchObject({ code: 1, reason, place: { file: FILE } });
  });

  it('it is no JSON', async () => {
    put(FILE, 'x\n');
    expect(await log()).toMatchObject({ code: 1, reason: 'altered' });
  });
});

it('a record that is said to be gone is looked for no more, and the report says by whose word', async () => {
  rewrite(([a, b, c]) => [b!, { type: a!.type, digest: a!.digest }, c!]);
  const report = await log();
  expect(report).toMatchObject({ code: 0, checked: { citedRecords: 1 } });
  expect(report.notCovered.filter((line) => line.includes('by the ledger’s word'))).toHaveLength(2);
});

it('a line for what the range says itself is no fault', async () => {
  const { digest } = verdictOf('late');
  rewrite((all) => [...all, { type: 'custos.decision.recorded.v1', digest }]);
  const report = await log();
  expect(report).toMatchObject({ code: 0, checked: { citedRecords: 2 } });
  expect(report.notCovered.join()).not.toContain(digest);
});

// Exports made to deceive or to break the verifier: what an attacker would hand over.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addSignatures, cosign, generateKey, parseNote, parseSignerKey } from '#libs/transparency';
import { checkpointOf, stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import type { Report } from './report.js';
import { DirectorySource } from './source/directory-source.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { runVerify } from './verify.js';

const key = newLogKey();
const { leaves } = honestDay(40);
/** An operator's correction of a generation that lies before. */
const CORRECTION = leaves.findIndex((bytes) => bytes.includes('custos.ledger.correction.v1'));

let folder: string;
let said: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-hostile-export-'));
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

async function verify(mode: string, ...more: string[]): Promise<Report & { code: number }> {
  said = '';
  const code = await runVerify([mode, folder, '--json', ...more]);
  return { code, ...(JSON.parse(said) as Report) };
}
const withKey = (mode: string, ...more: string[]) =>
  verify(mode, '--key', key.verifierKey, ...more);

type Row = Record<string, unknown>;
function editJson(file: string, change: (rows: Row[]) => unknown): void {
  const path = join(folder, file);
  const rows = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  change(rows);
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}

describe('the books of a part of the log', () => {
  const range = { firstLeaf: CORRECTION - 1, endLeaf: leaves.length };
  beforeEach(() => stageExport(folder, { key, leaves, priceBooks: BOOKS, range }));

  it('hold where an earlier generation is corrected in it', async () => {
    const report = await withKey('ledger');
    expect(report.faults).toEqual([]);
    expect(report.notCovered.join()).toContain('opened outside');
  });

  it('do not break the verifier with a number that is none', async () => {
    editJson('ledger/journals.jsonl', (rows) => {
      for (const row of rows) if (row['kind'] === 'reversal') row['reverses'] = '1e3';
    });
    expect(await withKey('ledger')).toMatchObject({ code: 1, reason: 'altered' });
  });

  it('take no journal on the word that it takes back an earlier one', async () => {
    const postings = [
      { account: 'a', amountPicoUsd: '5' },
      { account: 'b', amountPicoUsd: '-5' },
    ];
    const leafIndex = String(leaves.length - 1);
    const forged = { kind: 'reversal', leafIndex, reverses: '0', generationId: 'gen-x', postings };
    editJson('ledger/journals.jsonl', (rows) =>
      rows.push({ ...forged, id: String(2 * (leaves.length - 1) + 1) }),
    );
    editJson('ledger/closing-balances.jsonl', (rows) => rows.push(...postings));
    const manifest = join(folder, 'manifest.json');
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(
      manifest,
      text.replace(/"journals":(\d+)/, (_, n) => `"journals":${+n + 1}`),
    );
    expect(await withKey('ledger')).toMatchObject({ code: 1, reason: 'altered' });
  });
});

describe('a log forked with its own key', () => {
  it('is not taken for a damaged one because an entry is damaged as well', async () => {
    stageExport(folder, { key, leaves });
    const kept = join(folder, 'kept');
    const story = leaves.with(3, Buffer.from('another story'));
    writeFileSync(kept, checkpointOf(story, key, 20));
    const bundle = join(folder, 'tile/entries/000.p', String(leaves.length));
    const bytes = readFileSync(bundle);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(bundle, bytes);
    const { faults } = await withKey('log', '--previous', kept);
    expect(faults.map(({ reason }) => reason)).toEqual(
      expect.arrayContaining(['altered', 'equivocated']),
    );
  });
});

describe('a checkpoint', () => {
  beforeEach(() => stageExport(folder, { key, leaves }));

  it('cosigned at no time that a calendar knows does not break the verifier', async () => {
    const witness = generateKey('w.example', 'cosignature');
    const note = checkpointOf(leaves, key);
    const { body } = parseNote(note);
    const line = cosign(body, parseSignerKey(witness.signerKey), (1n << 63n) - 1n);
    writeFileSync(join(folder, 'checkpoint'), addSignatures(note, [line]));
    const policy = join(folder, 'my-policy');
    writeFileSync(policy, `log ${key.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`);
    expect(await verify('witness', '--policy', policy)).toMatchObject({
      code: 0,
      checked: { cosignatures: 'w.example at second 9223372036854775807' },
      notes: [expect.stringContaining('yet to come')],
    });
  });

  it('under a policy that knows further logs is judged by the one of the key', async () => {
    const lines = [newLogKey('other.example/log'), key].map((k) => `log ${k.verifierKey}\n`);
    writeFileSync(join(folder, 'policy'), `${lines.join('')}quorum none\n`);
    expect(await withKey('witness')).toMatchObject({ code: 0 });
  });
});

describe('an archive with other things than files in it', () => {
  beforeEach(() => stageExport(folder, { key, leaves }));

  it.each(['checkpoint', 'checkpoints.jsonl', 'manifest.json', 'tile/0/000.p'])(
    'is named, and neither hangs the verifier nor fills its memory: %s',
    async (file) => {
      rmSync(join(folder, file), { recursive: true });
      symlinkSync('/dev/zero', join(folder, file));
      expect(await withKey('log')).toMatchObject({ code: 1 });
    },
  );

  it('is not read beyond the limit where a link leads to a file that tells no size', async () => {
    symlinkSync('/proc/self/status', join(folder, 'linked'));
    const source = new DirectorySource(folder);
    expect((await source.read('linked', 1 << 20))?.length).toBeGreaterThan(100);
    await expect(source.read('linked', 100)).rejects.toThrow('over 100 bytes');
  });

  it('has no history where that is a folder', async () => {
    rmSync(join(folder, 'checkpoints.jsonl'));
    mkdirSync(join(folder, 'checkpoints.jsonl'));
    expect(await withKey('log')).toMatchObject({ code: 0, checked: { earlierCheckpoints: 0 } });
  });

  it('is not begun where the file of the key is broken', async () => {
    const file = join(folder, 'bootstrap.json');
    writeFileSync(file, '{ "logVerifierKey": ');
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(await runVerify(['log', folder, '--key', file])).toBe(2);
  });
});

describe('journals that add up to nothing', () => {
  it('are not left out without a word', async () => {
    stageExport(folder, { key, leaves, priceBooks: BOOKS });
    editJson('ledger/journals.jsonl', (rows) => {
      const at = rows.findIndex(({ kind }) => kind === 'reversal');
      const [taken] = rows.splice(at, 1);
      rows.splice(
        rows.findIndex(({ id }) => id === taken?.['reverses']),
        1,
      );
    });
    const manifest = join(folder, 'manifest.json');
    const text = readFileSync(manifest, 'utf8');
    writeFileSync(
      manifest,
      text.replace(/"journals":(\d+)/, (_, n) => `"journals":${+n - 2}`),
    );
    const { notCovered } = await withKey('ledger');
    expect(notCovered.join()).toContain('missing together');
  });
});

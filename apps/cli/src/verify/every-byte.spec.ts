// Every mode of `custos verify` against every kind of byte of what it reads, and against files and lines taken out, put
// in twice, exchanged, cut off. What is changed must be found, by the name of its file; what is not found must say the
// same as before, or be one of the words that nothing signed speaks for (docs/auditing.md).
// CUSTOS_EVERY_BYTE=20 tries twenty bytes of each kind in place of one, `all` each byte in three ways, which takes hours.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseVerifierKey } from '#libs/transparency';
import { byteMutations, fileMutations, type Mutation } from '../../../../test/support/mutations.js';
import {
  isHarmless,
  key,
  MODES,
  stageEverything,
  type ModeUnderAttack,
  type Staged,
  type StageName,
} from './every-byte.spec-support.js';
import { REASONS, type Report } from './report.js';
import { verify } from './verify.js';
import { UsageError } from './verify-options.js';

const ASKED = process.env['CUSTOS_EVERY_BYTE'] ?? '1';
const campaign = { seed: 20_261_121, perClass: ASKED === 'all' ? Infinity : Number(ASKED) };
/** A thousand verifications of some 20 ms each, on a machine that does other things as well. */
const TIMEOUT_MS = ASKED === '1' ? 600_000 : 24 * 3_600_000;

let folder: string;
let stages: Readonly<Record<StageName, Staged>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'custos-every-byte-'));
  stages = await stageEverything(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function run({ name, mode, of, options }: ModeUnderAttack): Promise<Report> {
  const { inputs, ...more } = options(stages[of].folder);
  return verify(name, mode, {
    inputs,
    json: true,
    key: parseVerifierKey(key.verifierKey),
    silenceMs: 0,
    ...more,
  });
}

function put(of: StageName, file: string, content: Buffer | undefined): void {
  const path = join(stages[of].folder, file);
  if (content === undefined) return rmSync(path);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** Of two that do not fit each other, one is named. */
const BLAMED_FOR: Readonly<Record<string, RegExp>> = {
  // A part is what its manifest says: where that is altered or gone, records are missing, or too many.
  'manifest.json': /^(ledger\/journals\.jsonl|cited\.jsonl|tile\/entries\/.*)$/,
  'time-stamps/30.note': /^time-stamps\/30\.tsr$/,
};

/** What is wrong with the verdict on a mutation; undefined where nothing is. */
function objection(mode: ModeUnderAttack, mutation: Mutation, report: Report): string | undefined {
  const { folder, files } = stages[mode.of];
  if (report.holds) return isHarmless(mode.name, mutation, files) ? undefined : 'not found';
  if (!report.faults.every(({ reason }) => REASONS.includes(reason))) return 'no reason of ours';
  const named = report.faults.some(
    ({ place: { file } }) =>
      file === undefined ||
      // As it was given: a checkpoint is what is read of the folder.
      file === folder ||
      [...mutation.files.keys()].some((f) => file.endsWith(f) || BLAMED_FOR[f]?.test(file)),
  );
  return named ? undefined : `blames ${report.faults[0]?.place.file ?? ''}`;
}

describe.each(MODES)('$name: what is changed is found', (mode) => {
  it(
    'or says the same',
    async () => {
      expect(await run(mode)).toMatchObject({ holds: true, faults: [] });
      const staged = stages[mode.of];
      const files = new Map([...staged.files].filter(([file]) => mode.reads.test(file)));
      const objections: string[] = [];
      let tried = 0;
      for (const make of [byteMutations, fileMutations])
        for (const made of make(files, campaign)) {
          const mutation = mode.fit?.(made, staged.files) ?? made;
          for (const [file, content] of mutation.files) put(mode.of, file, content);
          const found = await run(mode).then(
            (report) => objection(mode, mutation, report),
            (error: unknown) =>
              error instanceof UsageError ? undefined : `breaks the verifier: ${String(error)}`,
          );
          if (found !== undefined) objections.push(`${mutation.file}: ${mutation.what}: ${found}`);
          for (const file of mutation.files.keys()) put(mode.of, file, staged.files.get(file));
          tried += 1;
        }
      expect(objections).toEqual([]);
      expect(tried).toBeGreaterThan(mode.atLeast);
    },
    TIMEOUT_MS,
  );
});

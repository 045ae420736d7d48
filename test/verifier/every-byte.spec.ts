// The same small changes before both verifiers: where one accepts what the other refuses, one of them is wrong. The second
// one does not make the books again nor looks at time stamps: what only these speak for is left to the first.
// CUSTOS_EVERY_BYTE as for the first one's campaign.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseVerifierKey } from '#libs/transparency';
import {
  key,
  MODES,
  stageEverything,
  type Staged,
  type StageName,
} from '../../apps/cli/src/verify/every-byte.spec-support.js';
import { UsageError } from '../../apps/cli/src/verify/verify-options.js';
import { verify } from '../../apps/cli/src/verify/verify.js';
import { byteMutations, fileMutations, type Mutation } from '../support/mutations.js';
import { describeWithPython, RunningVerifier } from './python-verifier.js';

const ASKED = process.env['CUSTOS_EVERY_BYTE'] ?? '1';
const campaign = { seed: 6_962, perClass: ASKED === 'all' ? Infinity : Number(ASKED) };
/** Hundreds of verifications in Python, whose Ed25519 takes some milliseconds each. */
const TIMEOUT_MS = ASKED === '1' ? 600_000 : 24 * 3_600_000;

const READ =
  /^(checkpoint|checkpoints\.jsonl|manifest\.json|tile\/.*|price-books\/.*|receipt\.json)$/;

const READ_OF_A_PART = /^(cited\.jsonl|manifest\.json|tile\/entries\/.*)$/;
/** Modes that look at what both look at. */
const BOTH = /^(log|ledger|receipt|log of a part)$/;

describeWithPython('two verifiers', () => {
  let folder: string;
  let stages: Readonly<Record<StageName, Staged>>;
  let second: RunningVerifier;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'custos-two-verifiers-'));
    stages = await stageEverything(folder);
    second = new RunningVerifier();
  });
  afterAll(async () => {
    await second.close();
    rmSync(folder, { recursive: true });
  });

  const put = (of: StageName, file: string, content: Buffer | undefined): void => {
    const path = join(stages[of].folder, file);
    if (content === undefined) return rmSync(path);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  };

  /** The modes that look at what the second verifier looks at, as far as they read that file. */
  async function first(of: StageName, file: string): Promise<boolean> {
    const { folder: at } = stages[of];
    for (const { name, mode, of: theirs, options, reads } of MODES) {
      if (theirs !== of || !BOTH.test(name) || !reads.test(file)) continue;
      const verifier = parseVerifierKey(key.verifierKey);
      const all = { ...options(at), json: true, key: verifier, silenceMs: 0 };
      if (!(await verify(name, mode, all)).holds) return false;
    }
    return true;
  }

  const accepts = async (of: StageName, file: string): Promise<boolean> => {
    const { folder: at } = stages[of];
    const receipt = file === 'receipt.json' ? ['--receipt', join(at, file)] : [];
    const said = await second.ask([at, key.verifierKey, ...receipt]);
    if (!/^(accepted|rejected): /.test(said)) throw new Error(said);
    return said.startsWith('accepted: ');
  };

  test.each([
    ['whole', 'log', READ, 500],
    ['part', 'log of a part', READ_OF_A_PART, 100],
    ['part', 'log of a part, whose manifest fits', /^cited\.jsonl$/, 80],
  ] as const)(
    'agree on every change of what both look at: %s, %s',
    async (of, name, read, atLeast) => {
      const staged = stages[of];
      const { fit } = MODES.find((mode) => mode.name === name)!;
      const files = new Map([...staged.files].filter(([file]) => read.test(file)));
      for (const file of files.keys())
        expect([file, await first(of, file), await accepts(of, file)]).toEqual([file, true, true]);
      const disagreements: string[] = [];
      let tried = 0;
      for (const make of [byteMutations, fileMutations])
        for (const made of make(files, campaign)) {
          const mutation = fit?.(made, staged.files) ?? made;
          for (const [file, content] of mutation.files) put(of, file, content);
          const [ours, theirs] = [
            await first(of, mutation.file).catch((error: unknown) => {
              if (error instanceof UsageError) return false;
              throw error;
            }),
            await accepts(of, mutation.file),
          ];
          // What the first refuses may be in what the second does not look at; the other way round there is no excuse.
          if (ours !== theirs && (ours || !isForTheFirst(mutation, staged)))
            disagreements.push(
              `${mutation.file}: ${mutation.what}: ${ours ? 'ours' : 'theirs'} accepts`,
            );
          for (const file of mutation.files.keys()) put(of, file, staged.files.get(file));
          tried += 1;
        }
      expect(disagreements).toEqual([]);
      expect(tried).toBeGreaterThan(atLeast);
    },
    TIMEOUT_MS,
  );
});

/** What the second verifier reads of each; the rest is for the first, and may be refused by it alone. */
const FOR_BOTH: Readonly<Record<string, readonly string[]>> = {
  'receipt.json': ['format', 'origin', 'checkpoint', 'events'],
  'manifest.json': ['format', 'origin', 'verifierKey', 'size', 'priceBooks', 'cited'],
};
const OF_AN_EVENT = ['leafIndex', 'bytes', 'proof'];

function isForTheFirst({ file, files }: Mutation, { files: honest }: Staged): boolean {
  const [before, after] = [valueOf(honest.get(file)), valueOf(files.get(file))];
  if (before === undefined || after === undefined) return false;
  const words = FOR_BOTH[file] ?? [];
  return JSON.stringify(only(before, words)) === JSON.stringify(only(after, words));
}

function only(value: object, words: readonly string[]): object {
  const kept = Object.entries(value).filter(([name]) => words.includes(name));
  return kept.map(([name, held]) =>
    name === 'events' && Array.isArray(held)
      ? held.map((event: object) => only(event, OF_AN_EVENT))
      : [name, held as unknown],
  );
}

function valueOf(bytes: Buffer | undefined): object | undefined {
  try {
    return JSON.parse(bytes?.toString() ?? '') as object;
  } catch {
    return undefined;
  }
}

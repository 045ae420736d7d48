import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseVerifierKey } from '#libs/transparency';
import { stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { LEDGER } from './books/verify-ledger.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { verify } from './verify.js';

const key = newLogKey();
/** Bytes tried in each file, spread over it: every kind of byte is met in the dozens of files. */
const TRIED = 40;
/** A verification each, hundreds of them, on a machine that does other things as well. */
const TIMEOUT_MS = 300_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-every-byte-'));
  stageExport(folder, { key, leaves: honestDay(3).leaves, priceBooks: BOOKS, history: [1, 7] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const options = () => ({
  inputs: [folder],
  json: true,
  key: parseVerifierKey(key.verifierKey),
  silenceMs: 0,
});

/** The member of a JSON text that a place stands in: what was changed, in words. */
const memberAt = (text: string, at: number): string =>
  /.*"(\w+)":/s.exec(text.slice(0, at + 1))?.[1] ?? '';

/** What nothing else in an export speaks for: the ledger's own words, named in every report. */
const ONLY_SAID: Readonly<Record<string, readonly string[]>> = {
  'manifest.json': ['ledgerId', 'from', 'to'],
  'ledger/journals.jsonl': ['recordedAt'],
};

describe('one wrong bit in an export', () => {
  it(
    'is found, whatever byte it is in',
    async () => {
      expect(await verify('ledger', LEDGER, options())).toMatchObject({ holds: true });
      const survived: string[] = [];
      let tried = 0;
      const files = globSync('**/*', { cwd: folder, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== 'policy')
        .map((entry) => join(entry.parentPath, entry.name));
      for (const file of files) {
        const honest = readFileSync(file);
        const step = Math.max(1, Math.floor(honest.length / TRIED));
        for (let at = 0; at < honest.length; at += step) {
          const bytes = Buffer.from(honest);
          bytes[at]! ^= 1 << (at % 7);
          writeFileSync(file, bytes);
          tried += 1;
          if (!(await verify('ledger', LEDGER, options())).holds) continue;
          const name = file.slice(folder.length + 1);
          const member = memberAt(honest.toString('latin1'), at);
          if (!ONLY_SAID[name]?.includes(member)) survived.push(`${name} at ${at} (${member})`);
        }
        writeFileSync(file, honest);
      }
      expect(survived).toEqual([]);
      expect(tried).toBeGreaterThan(300);
    },
    TIMEOUT_MS,
  );
});

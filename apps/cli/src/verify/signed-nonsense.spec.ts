// Who holds the log's key can seal any bytes. Whatever a record says, the verifier ends with a report.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseVerifierKey } from '#libs/transparency';
import { Chance } from '../../../../test/crash/chance.js';
import { stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { LEDGER } from './books/verify-ledger.js';
import { LOG } from './log/verify-log.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';
import { verify } from './verify.js';
import { WRITERS } from './writers/verify-writers.js';

const TRIED = 300;
const TIMEOUT_MS = 600_000;
const key = newLogKey();
const { leaves } = honestDay(3);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custos-signed-nonsense-'));
  // Books as they were of the honest records: what they cite and cause may change below.
  stageExport(folder, { key, leaves, priceBooks: BOOKS });
});
afterAll(() => rmSync(folder, { recursive: true }));

const NONSENSE: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  1e308,
  '',
  '0',
  '-1',
  '1e3',
  '9'.repeat(38),
  '9'.repeat(4_000),
  '__proto__',
  'constructor',
  'sha256:../../../../etc/passwd',
  '\u0000',
  '9999-12-31T23:59:59.999Z',
  '0000-01-01T00:00:00.000Z',
  [],
  {},
  [null],
  { ['__proto__']: 1 },
];

type Holder = Record<string, unknown>;

/** Every member of a record, with who holds it. */
function membersOf(value: unknown): readonly (readonly [Holder, string])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    [value as Holder, name] as const,
    ...membersOf(inner),
  ]);
}

it(
  'a record of any content breaks no verifier',
  async () => {
    const chance = new Chance(1_917);
    for (let nth = 0; nth < TRIED; nth++) {
      const at = chance.between(0, leaves.length - 1);
      const record = JSON.parse(leaves[at]!.toString()) as Holder;
      const [holder, name] = chance.pick(membersOf(record));
      const what = chance.pick(NONSENSE);
      holder[name] = what;
      const said = Buffer.from(JSON.stringify(record));
      const bytes = chance.pick([
        said,
        said,
        said,
        said.subarray(0, -1),
        Buffer.from(`${String(what)}`),
      ]);
      const changed = leaves.with(at, bytes);
      stageExport(folder, { key, leaves: changed, priceBooks: BOOKS, journals: leaves });
      for (const [mode, run] of [
        ['log', LOG],
        ['writers', WRITERS],
        ['ledger', LEDGER],
      ] as const) {
        const report = await verify(mode, run, {
          inputs: [folder],
          json: true,
          key: parseVerifierKey(key.verifierKey),
          silenceMs: 0,
        }).catch(
          (error: unknown) => `leaf ${at}, ${name} = ${JSON.stringify(what)}: ${String(error)}`,
        );
        expect(report).toMatchObject({ mode });
        if (mode === 'log') expect(report).toMatchObject({ holds: true });
      }
    }
  },
  TIMEOUT_MS,
);

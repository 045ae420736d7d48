import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '#libs/platform';
import { stageExport } from '../../../../test/support/export-stage.js';
import { newLogKey } from '../../../../test/support/memory-log.js';
import { BOOKS, honestDay } from './verify-stage.spec-support.js';

const ROOT = packageRoot(import.meta.dirname);

/** Runs the verifier in a process of its own and prints every module that was loaded for it. */
const PROBE = (entry: string, args: readonly string[]): string => `
import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    loaded.push(found.url);
    return found;
  },
});
const { runVerify } = await import(${JSON.stringify(entry)});
const code = await runVerify(${JSON.stringify(args)});
console.log(JSON.stringify({ code, loaded }));
`;

describe('custos verify as a program', () => {
  it('loads nothing but the pure libs and Node', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'custos-verify-alone-'));
    try {
      const key = newLogKey();
      stageExport(join(folder, 'export'), {
        key,
        leaves: honestDay(5).leaves,
        priceBooks: BOOKS,
      });
      const entry = pathToFileURL(join(ROOT, 'apps/cli/src/verify/verify.ts')).href;
      const args = ['ledger', join(folder, 'export'), '--key', key.verifierKey, '--json'];
      writeFileSync(join(folder, 'probe.mjs'), PROBE(entry, args));
      const hooks = pathToFileURL(join(ROOT, 'test/support/run-typescript.mjs')).href;
      const { stdout } = await promisify(execFile)(process.execPath, [
        '-C',
        'source',
        '--experimental-transform-types',
        '--no-warnings',
        '--import',
        hooks,
        join(folder, 'probe.mjs'),
      ]);
      const [report = '', probe = ''] = stdout.trim().split('\n');
      expect(JSON.parse(report)).toMatchObject({ holds: true });
      const { code, loaded } = JSON.parse(probe) as { code: number; loaded: string[] };
      expect(code).toBe(0);
      const allowed =
        /^node:|\/apps\/cli\/src\/verify\/|\/libs\/(kernel|audit-events|transparency|ledger)\/src\//;
      const price = /\/libs\/catalog\/src\/(price-book|errors)\.ts$/;
      expect(loaded.filter((url) => !allowed.test(url) && !price.test(url))).toEqual([]);
      expect(loaded.some((url) => price.test(url))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

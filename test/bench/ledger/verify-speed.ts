// `custos verify` as an auditor runs it: a process of its own, on one core.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#libs/platform';
import { parseVerifierKey } from '#libs/transparency';
import { RECEIPT } from '../../../apps/cli/src/verify/receipt/verify-receipt.js';
import { verify } from '../../../apps/cli/src/verify/verify.js';
import { onCore } from '../pinning.js';
import { percentilesOf, type Percentiles } from '../statistics.js';

const WARM_UP = 20;

/** Leaves per second, the process's start included. Throws where the log does not hold. */
export function leavesPerSecond(folder: string, key: string): { perSecond: number; size: number } {
  const main = join(packageRoot(import.meta.dirname), 'dist/apps/cli/src/main.js');
  const command = [process.execPath, main, 'verify', 'log', folder, '--key', key, '--json'];
  const [program, ...args] = [...onCore(0), ...command];
  const startMs = performance.now();
  const { stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  const seconds = (performance.now() - startMs) / 1_000;
  const lastLine = stdout.trimEnd().split('\n').at(-1) ?? '';
  const report = JSON.parse(lastLine || '{}') as {
    holds?: boolean;
    checked?: { size?: number | string };
  };
  if (report.holds !== true) throw new Error(`the log does not verify: ${stdout}${stderr}`);
  const size = Number(report.checked?.size);
  return { perSecond: size / seconds, size };
}

/** Milliseconds per receipt, amounts by the price book included, in this process. */
export async function receiptMs(
  folder: string,
  key: string,
  books: string,
): Promise<Percentiles & { readonly count: number }> {
  const times: number[] = [];
  for (const [n, name] of readdirSync(folder).entries()) {
    const startMs = performance.now();
    const report = await verify('receipt', RECEIPT, {
      inputs: [join(folder, name)],
      json: true,
      key: parseVerifierKey(key),
      books,
      silenceMs: 0,
    });
    const ms = performance.now() - startMs;
    if (!report.holds) throw new Error(`${name} does not verify: ${JSON.stringify(report.faults)}`);
    if (n >= WARM_UP) times.push(ms);
  }
  return { ...percentilesOf(times), count: times.length };
}

// `custos verify` as an auditor runs it: a process of its own, on one core.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '#libs/platform';
import { onBothCores, onCore } from '../pinning.js';
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

/** Milliseconds per receipt, amounts by the price book included, in a process of its own; its first ones are not counted. */
export function receiptMs(
  folder: string,
  key: string,
  books: string,
): Percentiles & { readonly count: number } {
  const child = join(import.meta.dirname, 'receipts-child.js');
  const [program, ...args] = [...onBothCores(), process.execPath, child, folder, key, books];
  const { stdout, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  if (stdout === '') throw new Error(`the receipts do not verify: ${stderr}`);
  const times = (JSON.parse(stdout) as number[]).slice(WARM_UP);
  return { ...percentilesOf(times), count: times.length };
}

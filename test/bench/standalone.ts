// The product as a user starts it: one process, embedded PostgreSQL, simulated providers.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { packageRoot, portsToKeep } from '#libs/platform';
import type { LoadGenerator } from './children.js';
import { onBothCores } from './pinning.js';
import { underRatedLoad } from './rated-load.js';

const ROOT = packageRoot(import.meta.dirname);
const READY_MS = 90_000;
const LOOK_EVERY_MS = 10;

interface Started {
  readonly baseUrl: string;
  readonly readyMs: number;
  readonly output: () => string;
  stop(): Promise<void>;
}

const environmentOf = (dataDir: string, port: number): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  HOME: process.env['HOME'] ?? '',
  PORT: String(port),
  CUSTOS_DATA_DIR: dataDir,
  CUSTOS_METRICS_PORT: '0',
  CUSTOS_PROVIDERS: 'simulated',
});

/** Highest resident memory under the rated load, in MB. The simulator is inside. */
export async function residentOfStandalone(
  load: LoadGenerator,
  dataDir: string,
  durationMs: number,
): Promise<number> {
  const main = join(ROOT, 'dist/apps/standalone/src/main.js');
  const { child, ...started } = await startAndWait([process.execPath, main], dataDir);
  try {
    const apiKey = await firstKey(join(dataDir, 'bootstrap.json'));
    const aim = { name: 'standalone', url: `${started.baseUrl}/v1/chat/completions`, key: apiKey };
    return (await underRatedLoad(load, aim, child.pid!, durationMs)).residentMb;
  } finally {
    await started.stop();
  }
}

/** The file with the keys is written just after the first request could be answered. */
async function firstKey(path: string): Promise<string> {
  const untilMs = performance.now() + READY_MS;
  while (!existsSync(path)) {
    if (performance.now() > untilMs) throw new Error(`there is no ${path}`);
    await pause(LOOK_EVERY_MS);
  }
  return (JSON.parse(readFileSync(path, 'utf8')) as { apiKey: string }).apiKey;
}

/** Seconds from `npm start` to `/health/ready`, once on an empty data directory and then again on its data. */
export async function timeOfNpmStart(
  dataDir: string,
  again: number,
): Promise<{ firstSeconds: number; againSeconds: readonly number[] }> {
  const once = async (): Promise<number> => {
    const started = await startAndWait(['npm', 'start', '--silent'], dataDir);
    await started.stop();
    if (started.output().includes('Building …'))
      throw new Error('a source changed: `npm start` had to build, which is not what is timed');
    return started.readyMs / 1_000;
  };
  const firstSeconds = await once();
  const againSeconds: number[] = [];
  for (let n = 0; n < again; n++) againSeconds.push(await once());
  return { firstSeconds, againSeconds };
}

async function startAndWait(
  what: readonly string[],
  dataDir: string,
): Promise<Started & { child: ChildProcess }> {
  const port = (await portsToKeep(1))[0]!;
  const [command, ...args] = [...onBothCores(), ...what];
  const startedMs = performance.now();
  const child = spawn(command!, args, {
    cwd: ROOT,
    env: environmentOf(dataDir, port),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString('utf8')));
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
    await ended;
  };
  const baseUrl = `http://127.0.0.1:${port}`;
  while ((await fetch(`${baseUrl}/health/ready`).catch(() => undefined))?.status !== 200) {
    if (child.exitCode !== null) throw new Error(`the product ended while starting:\n${output}`);
    if (performance.now() - startedMs > READY_MS) {
      await stop();
      throw new Error(`the product is not ready:\n${output}`);
    }
    await pause(LOOK_EVERY_MS);
  }
  return { child, baseUrl, readyMs: performance.now() - startedMs, output: () => output, stop };
}

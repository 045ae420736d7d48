// The provider simulator in a process of its own: it survives the gateway's death, and its memory is not the gateway's.
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runDirectory } from './postgres.js';

const MAIN = fileURLToPath(new URL('../../dist/apps/simulator/src/main.js', import.meta.url));
const START_MS = 90_000;

export interface SimulatorProcess {
  /** For `CUSTOS_SIMULATOR_URL`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts on a free port. */
export async function startSimulator(): Promise<SimulatorProcess> {
  const stateDir = mkdtempSync(join(runDirectory(), 'simulator-'));
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--state-dir', stateDir], {
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the simulator does not start')), START_MS);
    child.once('exit', () => {
      clearTimeout(late);
      reject(new Error('the simulator ended while starting'));
    });
    createInterface(child.stdout).on('line', (line) => {
      const said = /^simulator listening on (\S+)$/.exec(line)?.[1];
      if (said === undefined) return;
      clearTimeout(late);
      resolve(said);
    });
  });
  return {
    url,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

// Runs a program of `dist` under Node 24 as a child, and ends as it ends.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { buildIfStale } from './build.mjs';
import { ensureInstalled, root } from './ensure-installed.mjs';

/** npm and the terminal may each deliver the same Ctrl-C; the child takes a second signal as "at once". */
const SAME_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

/**
 * Installs and builds what is needed, then runs `dist/<program>`.
 * The child is in a session of its own, so that it gets each signal once, from us; when we are killed it sees
 * its IPC channel close (CUSTOS_PARENT_IPC=1) and shuts down by itself.
 * @returns {Promise<number>} the child's exit code, 128 + n when a signal ended it
 */
export async function runBuilt(program, args, options = {}) {
  const node = ensureInstalled();
  buildIfStale(node);
  const child = spawn(node, [...(options.nodeFlags ?? []), join(root, 'dist', program), ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, CUSTOS_PARENT_IPC: '1' },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
  });
  let lastSignalAt = -Infinity;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const at = performance.now();
      if (at - lastSignalAt < SAME_SIGNAL_MS) return;
      lastSignalAt = at;
      child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal);
    });
  }
  if (process.env.npm_lifecycle_event !== undefined) stopWithParent(child);
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]));
  });
}

/** Killed with SIGKILL, npm cannot tell us: we notice that we have another parent. */
function stopWithParent(child) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, PARENT_POLL_MS);
  watch.unref();
}

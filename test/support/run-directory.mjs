// Everything that specs start beside themselves (PostgreSQL, Kafka brokers) lives under one folder per test run,
// so that the run's end, or the next run when this one was killed, can stop it and remove it.
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const prefix = 'custos-test-';
/** Both files begin with the process's id; deeper than this there are only data files. */
const pidFiles = new Set(['postmaster.pid', 'broker.pid']);
const DEPTH_MAX = 4;
const STOP_DEADLINE_MS = 5_000;

/** Jest's main process makes the folder in its global set-up; its workers inherit the variable. */
export const runDirectoryVariable = 'CUSTOS_TEST_RUN_DIR';

/** @returns the folder of this run */
export function openRunDirectory() {
  const directory = join(tmpdir(), `${prefix}${process.pid}-${startMarkOf(process.pid)}`);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  return directory;
}

/** Stops and removes what runs that are gone have left. */
export async function sweepDeadRuns() {
  for (const name of readdirSync(tmpdir())) {
    const match = /^custos-test-(\d+)-(\w*)$/.exec(name);
    if (match === null || startMarkOf(Number(match[1])) === match[2]) continue;
    // One that belongs to another user is his to sweep.
    await removeRunDirectory(join(tmpdir(), name)).catch(() => undefined);
  }
}

/** Stops every process whose pid file lies in the folder, then removes the folder. */
export async function removeRunDirectory(directory) {
  if (!basename(directory).startsWith(prefix))
    throw new Error(`${directory} is no test run's folder`);
  const pids = pidsIn(directory, 0).filter((pid) => commandLineOf(pid).includes(directory));
  // SIGQUIT: PostgreSQL stops at once; a JVM prints its threads and goes on, so SIGKILL follows for all.
  for (const pid of pids) signal(pid, 'SIGQUIT');
  const until = Date.now() + 300;
  while (pids.some(isAlive) && Date.now() < until) await pause(20);
  for (const pid of pids) signal(pid, 'SIGKILL');
  const deadline = Date.now() + STOP_DEADLINE_MS;
  while (pids.some(isAlive) && Date.now() < deadline) await pause(20);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function pidsIn(directory, depth) {
  if (depth > DEPTH_MAX) return [];
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return pidsIn(path, depth + 1);
      return pidFiles.has(entry.name) ? [Number.parseInt(readFileSync(path, 'utf8'), 10)] : [];
    });
  } catch {
    return []; // It is just being removed, or belongs to another user.
  }
}

function commandLineOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Differs between two processes that had one id after the other; empty when there is no such process. */
function startMarkOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return isAlive(pid) ? 'alive' : '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    const stat = process.platform === 'linux' ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    return !stat.includes(') Z ');
  } catch {
    return false;
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // Gone meanwhile.
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

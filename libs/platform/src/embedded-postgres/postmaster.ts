// The server process: starting it, seeing that it is ready, stopping it, and dealing with one left by a crash.
import type { ChildProcess } from 'node:child_process';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '#libs/kernel';
import { clusterDirectory } from './cluster.js';
import type { EmbeddedPostgresErrorCode } from './errors.js';
import { commandLineOf, isAlive, waitUntilGone } from './process-identity.js';
import type { Seat } from './run-as.js';

/** Fast shutdown writes a checkpoint: seconds at most with our WAL limit, unless the disk is in trouble. */
const FAST_STOP_MS = 15_000;
/** Immediate shutdown only kills; what it leaves is recovered from WAL at the next start. */
const IMMEDIATE_STOP_MS = 5_000;
/** Recovery after a crash replays up to max_wal_size; a slow disk gets this long. */
const READY_MS = 120_000;
/** A log beyond this is set aside at start; one generation is kept. */
const LOG_BYTES_MAX = 10 * 1024 * 1024;
const READY_POLL_MS = 10;

const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  // The audit log's promise rests on these two.
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // Modest: the whole product shares a small machine with it.
  shared_buffers: '64MB',
  max_connections: '60',
  max_wal_size: '512MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  io_method: 'sync',
  // Compiling a short query costs more than running it.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // No statement, parameter or row reaches the log: an error's text may quote a value, so client errors
  // stay out altogether (they go to the client), and DETAIL lines with keys are cut off.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
  log_checkpoints: 'off',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
};

export interface Postmaster {
  readonly pid: number;
  /** Settles when the process is gone, whoever ended it. */
  readonly exited: Promise<void>;
}

/** Starts the server and waits until it takes connections. @throws DomainError `postgres_failed` with its last words. */
export async function startPostmaster(
  seat: Seat,
  dataDirectory: string,
  port: number,
): Promise<Postmaster> {
  const logPath = join(dataDirectory, 'postgres.log');
  if (((await stat(logPath).catch(() => undefined))?.size ?? 0) > LOG_BYTES_MAX) {
    await rename(logPath, `${logPath}.1`);
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const log = await open(logPath, 'a', 0o600);
  const logStart = (await log.stat()).size;
  let child: ChildProcess;
  try {
    // Its own session: Ctrl-C in the terminal must reach the gateway first, which still has records to write.
    // A file for its output: a pipe to us would break when we are killed, and the server with it.
    child = seat.spawn(
      seat.binaries.postgres,
      ['-D', clusterDirectory(seat), '-p', String(port), ...options],
      {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      },
    );
  } finally {
    await log.close();
  }
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  child.unref();
  const pid = child.pid;
  if (pid === undefined || !(await becomesReady(seat, child, pid))) {
    const said = (await readFile(logPath, 'utf8')).slice(logStart).trim().slice(-2_000);
    throw new DomainError<EmbeddedPostgresErrorCode>(
      'postgres_failed',
      `PostgreSQL did not start:\n${said}`,
    );
  }
  return { pid, exited };
}

async function becomesReady(seat: Seat, child: ChildProcess, pid: number): Promise<boolean> {
  const until = Date.now() + READY_MS;
  while (Date.now() < until) {
    if (child.exitCode !== null || child.signalCode !== null) return false;
    const file = await readPidFile(seat);
    if (file?.pid === pid && file.status === 'ready') return true;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  await stopProcess(pid);
  return false;
}

/**
 * Stops a server that a killed gateway left running on this cluster. It is not adopted: its sessions belong to
 * the dead, its settings may be an older version's, and a fresh start takes a twentieth of a second.
 */
export async function stopOrphan(seat: Seat): Promise<'none' | 'stopped'> {
  const file = await readPidFile(seat);
  if (file === undefined || !isAlive(file.pid)) return 'none';
  const commandLine = await commandLineOf(file.pid);
  if (commandLine.includes(clusterDirectory(seat))) {
    await stopProcess(file.pid);
    return 'stopped';
  }
  // The id has gone to a stranger, and PostgreSQL would wait for it. When it is dead, or a PostgreSQL that we
  // cannot identify, the file stays: PostgreSQL then checks shared memory for backends that outlived it.
  if (!commandLine.includes('postgres')) await rm(join(clusterDirectory(seat), 'postmaster.pid'));
  return 'none';
}

/** Fast shutdown, then immediate, then SIGKILL; returns when the process is gone. */
export async function stopProcess(pid: number): Promise<void> {
  for (const [signal, deadlineMs] of [
    ['SIGINT', FAST_STOP_MS],
    ['SIGQUIT', IMMEDIATE_STOP_MS],
    ['SIGKILL', IMMEDIATE_STOP_MS],
  ] as const) {
    if (!isAlive(pid)) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    if (await waitUntilGone(pid, deadlineMs)) return;
  }
}

async function readPidFile(seat: Seat): Promise<{ pid: number; status: string } | undefined> {
  const path = join(clusterDirectory(seat), 'postmaster.pid');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  const lines = text?.split('\n');
  const pid = Number(lines?.[0]);
  if (lines === undefined || !Number.isSafeInteger(pid) || pid <= 0) return undefined;
  return { pid, status: (lines[7] ?? '').trim() };
}

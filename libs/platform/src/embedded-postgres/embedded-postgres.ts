// PostgreSQL for a machine that has none: the programs come with npm, the data lies in the data directory.
import { mkdir, realpath } from 'node:fs/promises';
import { databaseName, readOrCreateAccess, urlFor } from './access.js';
import { findBinaries } from './binaries.js';
import { createCluster } from './cluster.js';
import { lockDirectory } from './directory-lock.js';
import { startPostmaster, stopOrphan, stopProcess } from './postmaster.js';
import { chooseSeat } from './run-as.js';

export interface EmbeddedPostgres {
  /** Owns the database: migrations only. */
  readonly ownerUrl: string;
  /** The app's role. */
  readonly appUrl: string;
  /** Ingress's role, which may only append to the log. */
  readonly auditUrl: string;
  /** For tests and operators (making databases, backups); the product itself never logs in with it. */
  readonly superuserUrl: string;
  readonly pid: number;
  /** Settles when the server is gone, whoever ended it. */
  readonly exited: Promise<void>;
  /** Fast shutdown with a deadline; releases the directory. May be called more than once. */
  stop(): Promise<void>;
}

/** As long as one step of the way down may take. */
const LOCK_WAIT_MS = 10_000;

export interface EmbeddedPostgresOptions {
  /** A folder for PostgreSQL alone (made with mode 0700): cluster, passwords, port, log, lock. */
  readonly dataDir: string;
  readonly log?: (message: string) => void;
  /** How long to wait for a process that still has the directory and may be on its way out; 10 s unless given. */
  readonly lockWaitMs?: number;
}

/**
 * Starts PostgreSQL on `dataDir`, making the cluster, the roles and the database `custos` on first use.
 * A server left running by a killed process is stopped first; its data is intact.
 * @throws DomainError with an `EmbeddedPostgresErrorCode`; `data_directory_in_use` while another process has it.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => undefined);
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDirectory = await realpath(options.dataDir);
  const lock = await lockDirectory(dataDirectory, options.lockWaitMs ?? LOCK_WAIT_MS, (pid) =>
    log(`process ${pid} still has ${dataDirectory}; waiting for it to end`),
  );
  try {
    const seat = await chooseSeat(dataDirectory, await findBinaries());
    if ((await stopOrphan(seat)) === 'stopped')
      log('stopped a PostgreSQL that an earlier run had left');
    const access = await readOrCreateAccess(dataDirectory);
    if ((await createCluster(seat, access)) === 'created')
      log(`made a database cluster in ${seat.directory}`);
    const postmaster = await startPostmaster(seat, dataDirectory, access.port);
    log(
      `PostgreSQL runs as ${seat.description} on 127.0.0.1:${access.port}, process ${postmaster.pid}`,
    );
    // Whoever leaves by process.exit without stop() still takes the server along; it ends by itself.
    const onExit = (): void => void signal(postmaster.pid);
    process.once('exit', onExit);
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      process.removeListener('exit', onExit);
      await stopProcess(postmaster.pid);
      await lock.release();
    };
    void postmaster.exited.then(() => process.removeListener('exit', onExit));
    return {
      ownerUrl: urlFor(access, 'custos_owner'),
      appUrl: urlFor(access, 'custos_app'),
      auditUrl: urlFor(access, 'custos_audit'),
      superuserUrl: urlFor(access, 'postgres', databaseName),
      pid: postmaster.pid,
      exited: postmaster.exited,
      stop: () => (stopping ??= stop()),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function signal(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGINT');
  } catch {
    return false;
  }
}

import pg from 'pg';
import { DataSource, type Logger, type MigrationInterface } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { ensureRoles, type RoleUrls } from './database-roles.js';

/**
 * A connection that cannot be had in this time is an outage, and said so. Long: a process that starts on a busy small
 * machine holds its own loop up for seconds, and must not take that for the database's silence.
 */
export const CONNECT_TIMEOUT_MS = 20_000;
/** How long one process waits while another migrates. */
const MIGRATION_LOCK_WAIT_MS = 60_000;
const MIGRATION_STATEMENT_TIMEOUT_MS = 300_000;
/** A migration that cannot get a table lock soon gives up, instead of queueing every query behind it. */
const MIGRATION_LOCK_TIMEOUT_MS = 10_000;

export interface PoolOptions {
  readonly max: number;
  readonly applicationName: string;
  readonly statementTimeoutMs: number;
  /** Told of errors on idle connections, which must not end the process. */
  readonly onIdleError?: (error: Error) => void;
}

export function openPool(url: string, options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.max,
    application_name: options.applicationName,
    statement_timeout: options.statementTimeoutMs,
    idle_in_transaction_session_timeout: options.statementTimeoutMs,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  return pool;
}

export interface MigrationOptions {
  /** The owner's role. */
  readonly url: string;
  readonly migrations: readonly (new () => MigrationInterface)[];
  /** Table that remembers what has run; each app has its own. */
  readonly tableName: string;
  /** Schema of that table, created when missing. Default: public. */
  readonly schema?: string;
  /** Whom the processes connect as: their roles are made where they are missing. */
  readonly roles?: RoleUrls;
}

/**
 * Runs what has not run yet, each migration in a transaction of its own, under an advisory lock, so that processes
 * may start together. Returns the names that ran. Throws `migration_failed`.
 */
export async function runMigrations(options: MigrationOptions): Promise<readonly string[]> {
  const lock = new pg.Client({
    connectionString: options.url,
    application_name: 'custos migrations',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    lock_timeout: MIGRATION_LOCK_WAIT_MS,
  });
  // The connection dies with its end; a loss while it idles shows at the next query.
  lock.on('error', () => undefined);
  try {
    await lock.connect();
    const name = `${options.schema ?? 'public'}.${options.tableName}`;
    await lock.query('select pg_advisory_lock(hashtextextended($1, 0))', [name]);
    await ensureRoles(lock, options.roles ?? {});
    if (options.schema !== undefined)
      await lock.query(`create schema if not exists ${pg.escapeIdentifier(options.schema)}`);
    return await migrate(options);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown';
    throw new DomainError('migration_failed', `migrations failed: ${reason}`, {}, { cause });
  } finally {
    await lock.end().catch(() => undefined);
  }
}

const SILENT: Logger = {
  logQuery: () => undefined,
  logQueryError: () => undefined,
  logQuerySlow: () => undefined,
  logSchemaBuild: () => undefined,
  logMigration: () => undefined,
  log: () => undefined,
};

async function migrate(options: MigrationOptions): Promise<readonly string[]> {
  const source = new DataSource({
    type: 'postgres',
    url: options.url,
    ...(options.schema === undefined ? {} : { schema: options.schema }),
    migrations: [...options.migrations],
    migrationsTableName: options.tableName,
    // The outcome is returned or thrown; TypeORM's own logger would print to the console besides.
    logger: SILENT,
    poolSize: 1,
    extra: {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: MIGRATION_STATEMENT_TIMEOUT_MS,
      lock_timeout: MIGRATION_LOCK_TIMEOUT_MS,
    },
  });
  await source.initialize();
  try {
    const ran = await source.runMigrations({ transaction: 'each' });
    return ran.map((migration) => migration.name);
  } finally {
    await source.destroy();
  }
}

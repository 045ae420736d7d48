import { z } from 'zod';
import { logVariables } from '#libs/audit-log';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';

/** Silence of a writer after which it counts as dead: seven missed heartbeats. */
export const WRITER_SILENT_MS_DEFAULT = 15_000;

/** Settings that the standalone product shares. */
export const ledgerVariables = {
  CUSTOS_WRITER_SILENT: variable.durationMs().default(WRITER_SILENT_MS_DEFAULT),
};

/** Settings of the ledger as a process of its own. */
const schema = z.object({
  ...logVariables,
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(8084),
  CUSTOS_DATABASE_URL: variable.url('postgres', 'postgresql'),
  CUSTOS_MIGRATION_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  /** Shared by our own processes. */
  CUSTOS_INTERNAL_TOKEN: variable.secret(),
  /** Base of the control service: keys and limits come from there. */
  CUSTOS_CONTROL_URL: variable.url('http', 'https'),
  /** Directory of the catalog's files; default: the built-in one. */
  CUSTOS_CATALOG: z.string().optional(),
  CUSTOS_SNAPSHOT_POLL: variable.durationMs().default(1_000),
  CUSTOS_SNAPSHOT_MAX_AGE: variable.durationMs().default(15 * 60_000),
  /** 0 = any free port. */
  CUSTOS_METRICS_PORT: variable.port().default(9464),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  ...ledgerVariables,
});

export type LedgerConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readLedgerConfig = (environment: Environment): LedgerConfig =>
  parseConfig(schema, environment);

export const ledgerConfig = (): LedgerConfig => readLedgerConfig(process.env);

import { z } from 'zod';
import { logVariables } from '#libs/audit-log';
import type { LogEntriesFor } from './ledger.guards.js';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';

/** Silence of a writer after which it counts as dead: seven missed heartbeats. */
export const WRITER_SILENT_MS_DEFAULT = 15_000;

/** An hour: what a stamp is worth to an auditor, at what public authorities give away. */
const TSA_INTERVAL_MS_DEFAULT = 60 * 60_000;

/** Settings that the standalone product shares. */
export const ledgerVariables = {
  CUSTOS_WRITER_SILENT: variable.spanMs().default(WRITER_SILENT_MS_DEFAULT),
  /** C2SP signer key of the log, or the file that holds it; else one kept in the data directory. */
  CUSTOS_LOG_SIGNING_KEY: variable.secret().optional(),
  CUSTOS_LOG_SIGNING_KEY_FILE: z.string().optional(),
  /**
   * Where the newest signed checkpoint is remembered, outside of the database and of its backups. Default: in the data
   * directory. Each process of a ledger has its own.
   */
  CUSTOS_LOG_STATE_FILE: z.string().optional(),
  /** Host in the origin of a log whose key is made here. */
  CUSTOS_LOG_HOST: z
    .string()
    .regex(/^[a-z0-9.:-]{1,253}$/i, { error: 'expected a host name' })
    .default('localhost'),
  /** File with the tlog-policy of this log: which witnesses must cosign. Default: the log's own signature is enough. */
  CUSTOS_LOG_POLICY: z.string().optional(),
  /**
   * Who may read entries by /log: `auditors` with their key (default in production), or `everyone`, as public logs have it
   * (default in development). Entries hold no content, but who asked what of which model.
   */
  CUSTOS_LOG_ENTRIES: z.enum(['auditors', 'everyone']).optional(),
  /** Name and address on invoices, lines apart by `\n`. Default: the log's origin. */
  CUSTOS_INVOICE_ISSUER: z
    .string()
    .max(1_000)
    .transform((lines) => lines.replaceAll('\\n', '\n'))
    .optional(),
  /** From one checkpoint to the next while the tree grows. */
  CUSTOS_CHECKPOINT_INTERVAL: variable.durationMs().default(1_000),
  /** RFC 3161 authority that stamps checkpoints; none: no time stamps. */
  CUSTOS_TSA_URL: variable.url('http', 'https').optional(),
  /** File that says how long entries are kept, and who decided that. None: nothing is ever removed. */
  CUSTOS_RETENTION_POLICY: z.string().optional(),
  /** From one time stamp to the next while the tree grows. */
  CUSTOS_TSA_INTERVAL: variable.spanMs().default(TSA_INTERVAL_MS_DEFAULT),
};

/** Settings of the ledger as a process of its own. */
const variables = z.object({
  ...logVariables,
  CUSTOS_PROFILE: z.enum(['development', 'production']).default('development'),
  /** Keeps the log's signing key where none is given. */
  CUSTOS_DATA_DIR: z.string().default('.custos'),
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
  CUSTOS_SNAPSHOT_MAX_AGE: variable.spanMs().default(15 * 60_000),
  /** 0 = any free port. */
  CUSTOS_METRICS_PORT: variable.port().default(9464),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  ...ledgerVariables,
});

const schema = variables.superRefine((settings, issues) => {
  if (settings.CUSTOS_PROFILE !== 'production') return;
  if (settings.CUSTOS_LOG_SIGNING_KEY ?? settings.CUSTOS_LOG_SIGNING_KEY_FILE) return;
  issues.addIssue({
    code: 'custom',
    path: ['CUSTOS_LOG_SIGNING_KEY'],
    message: 'a production profile signs its log with a key that you keep: give it or its file',
  });
});

/** Who may read the log's entries where nothing is said. */
export const logEntriesFor = (settings: {
  readonly CUSTOS_LOG_ENTRIES?: LogEntriesFor | undefined;
  readonly CUSTOS_PROFILE: string;
}): LogEntriesFor =>
  settings.CUSTOS_LOG_ENTRIES ??
  (settings.CUSTOS_PROFILE === 'production' ? 'auditors' : 'everyone');

export type LedgerConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readLedgerConfig = (environment: Environment): LedgerConfig =>
  parseConfig(schema, environment);

export const ledgerConfig = (): LedgerConfig => readLedgerConfig(process.env);

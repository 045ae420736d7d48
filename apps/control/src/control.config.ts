import { z } from 'zod';
import { furtherLedgers, logVariables } from '#libs/audit-log';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';
import { demandVaultKey, vaultVariables } from '#libs/vault';
import { creditVariables } from './credits/credit-terms.js';

const database = () => variable.url('postgres', 'postgresql');

/** Settings of control as a process of its own. */
const schema = z.object({
  ...logVariables,
  ...creditVariables,
  ...vaultVariables,
  /** The owner's role in the vault, for migrations only; the app's where absent. */
  CUSTOS_VAULT_MIGRATION_DATABASE_URL: database().optional(),
  /** Ledgers beside the main one, as the ingress names them: what concerns their books is written there. */
  CUSTOS_LEDGERS: furtherLedgers,
  /** Loopback: keys travel here, and TLS is the business of whoever puts a proxy before it. */
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(8083),
  CUSTOS_DATABASE_URL: database(),
  /** The owner's role, for migrations only; the app's where absent. */
  CUSTOS_MIGRATION_DATABASE_URL: database().optional(),
  /** Shared by our own processes. */
  CUSTOS_INTERNAL_TOKEN: variable.secret(),
  /** Gets `bootstrap.json` with the first keys. */
  CUSTOS_DATA_DIR: z.string().default('.custos'),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

export type ControlConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readControlConfig = (environment: Environment): ControlConfig =>
  parseConfig(schema.superRefine(demandVaultKey), environment);

export const controlConfig = (): ControlConfig => readControlConfig(process.env);

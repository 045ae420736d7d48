import { z } from 'zod';
import { logVariables } from '#libs/audit-log';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';

/** Settings of the routing service as a process of its own. */
const schema = z.object({
  ...logVariables,
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(8082),
  CUSTOS_DATABASE_URL: variable.url('postgres', 'postgresql'),
  CUSTOS_MIGRATION_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  /** Shared by our own processes. */
  CUSTOS_INTERNAL_TOKEN: variable.secret(),
  /** Base of the control service: the list of keys comes from there. */
  CUSTOS_CONTROL_URL: variable.url('http', 'https'),
  /** Directory of the catalog's files; default: the built-in one. */
  CUSTOS_CATALOG: z.string().optional(),
  CUSTOS_SNAPSHOT_POLL: variable.durationMs().default(1_000),
  CUSTOS_SNAPSHOT_MAX_AGE: variable.spanMs().default(15 * 60_000),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

export type RoutingConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readRoutingConfig = (environment: Environment): RoutingConfig =>
  parseConfig(schema, environment);

export const routingConfig = (): RoutingConfig => readRoutingConfig(process.env);

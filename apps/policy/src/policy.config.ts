import { z } from 'zod';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';

/** Settings of the policy engine as a process of its own. */
const schema = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(8081),
  /** Folder with `schema.cedarschema` and the policies below it; default: the shipped ones. */
  CUSTOS_POLICY_DIR: z.string().optional(),
  /** Directory of the catalog's files; default: the built-in one. */
  CUSTOS_CATALOG: z.string().optional(),
  /** Shared by our own processes. */
  CUSTOS_INTERNAL_TOKEN: variable.secret(),
  /** Base of the control service: the list of keys comes from there. */
  CUSTOS_CONTROL_URL: variable.url('http', 'https'),
  CUSTOS_SNAPSHOT_POLL: variable.durationMs().default(1_000),
  CUSTOS_SNAPSHOT_MAX_AGE: variable.durationMs().default(15 * 60_000),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
});

export type PolicyConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readPolicyConfig = (environment: Environment): PolicyConfig =>
  parseConfig(schema, environment);

export const policyConfig = (): PolicyConfig => readPolicyConfig(process.env);

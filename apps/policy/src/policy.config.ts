import { z } from 'zod';
import { logVariables } from '#libs/audit-log';
import { LOG_LEVELS, parseConfig, variable, type Environment } from '#libs/platform';

/** Settings of the policy engine as a process of its own. */
const schema = z
  .object({
    ...logVariables,
    CUSTOS_PROFILE: z.enum(['development', 'production']).default('development'),
    HOST: z.string().default('127.0.0.1'),
    PORT: variable.port().default(8081),
    CUSTOS_DATABASE_URL: variable.url('postgres', 'postgresql'),
    /** The owner's role, for migrations only; the app's where absent. */
    CUSTOS_MIGRATION_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
    /** Keeps the signing key where none is given. */
    CUSTOS_DATA_DIR: z.string().default('.custos'),
    /** Ed25519 JWK (or JWK Set, the first private key signs) that bundles and exceptions are signed with. */
    CUSTOS_POLICY_SIGNING_KEY_FILE: z.string().optional(),
    /** Folder with `schema.cedarschema` and the policies below it; default: the shipped ones. */
    CUSTOS_POLICY_DIR: z.string().optional(),
    /** Directory of the catalog's files; default: the built-in one. */
    CUSTOS_CATALOG: z.string().optional(),
    /** Shared by our own processes. */
    CUSTOS_INTERNAL_TOKEN: variable.secret(),
    /** Base of the control service: the list of keys comes from there. */
    CUSTOS_CONTROL_URL: variable.url('http', 'https'),
    CUSTOS_SNAPSHOT_POLL: variable.durationMs().default(1_000),
    CUSTOS_SNAPSHOT_MAX_AGE: variable.spanMs().default(15 * 60_000),
    CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  })
  .superRefine(({ CUSTOS_PROFILE, CUSTOS_POLICY_SIGNING_KEY_FILE }, issues) => {
    if (CUSTOS_PROFILE !== 'production' || CUSTOS_POLICY_SIGNING_KEY_FILE !== undefined) return;
    issues.addIssue({
      code: 'custom',
      path: ['CUSTOS_POLICY_SIGNING_KEY_FILE'],
      message: 'a production profile signs with a key that you keep: name its file',
    });
  });

export type PolicyConfig = z.output<typeof schema>;

/** Throws ConfigError with every fault. */
export const readPolicyConfig = (environment: Environment): PolicyConfig =>
  parseConfig(schema, environment);

export const policyConfig = (): PolicyConfig => readPolicyConfig(process.env);

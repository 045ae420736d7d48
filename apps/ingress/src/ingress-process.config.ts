import { join } from 'node:path';
import { z } from 'zod';
import { furtherLedgers, logVariables } from '#libs/audit-log';
import { LOG_LEVELS, packageRoot, parseConfig, variable, type Environment } from '#libs/platform';
import { demandVaultKey, vaultVariables } from '#libs/vault';
import { ingressVariables, refuseInProduction } from './ingress.config.js';

/** Settings of the data plane as a process of its own. */
const schema = z.object({
  ...ingressVariables,
  ...logVariables,
  ...vaultVariables,
  HOST: z.string().default('127.0.0.1'),
  PORT: variable.port().default(8080),
  CUSTOS_METRICS_PORT: variable.port().default(9464),
  /** Role that may only append to the log. Not needed where the log is Kafka. */
  CUSTOS_AUDIT_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  CUSTOS_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  CUSTOS_INTERNAL_TOKEN: variable.secret(),
  /** Hex key of the digests in the log: the same for every ingress of a deployment. */
  CUSTOS_DIGEST_KEY: z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits'),
  CUSTOS_CONTROL_URL: variable.url('http', 'https'),
  CUSTOS_POLICY_URL: variable.url('http', 'https'),
  CUSTOS_ROUTING_URL: variable.url('http', 'https'),
  CUSTOS_LEDGER_URL: variable.url('http', 'https'),
  CUSTOS_LEDGERS: furtherLedgers,
  /**
   * The `x` of the Ed25519 keys (base64url, as /policy/v1/keys shows them) that bundles must be signed with: the
   * present one and, while it changes, the next. Unset: the keys of the first bundle that was read.
   */
  CUSTOS_POLICY_PUBLIC_KEY: variable
    .list()
    .refine((keys) => keys.every((x) => /^[A-Za-z0-9_-]{43}$/.test(x)), {
      error: () => 'expected Ed25519 public keys of 43 base64url characters',
    })
    .optional(),
  CUSTOS_CATALOG: z
    .string()
    .default(join(packageRoot(import.meta.dirname), 'libs', 'catalog', 'data')),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: variable.url('http', 'https').optional(),
  OTEL_TRACES_SAMPLER_ARG: variable.ratio().default(0.01),
});

export type IngressConfig = z.output<typeof schema> & { readonly environment: Environment };

/** Throws ConfigError with every fault at once. */
export const ingressConfig = (): IngressConfig => ({
  ...parseConfig(
    schema.superRefine(refuseInProduction).superRefine((settings, issues) => {
      demandVaultKey(settings, issues);
      if (settings.CUSTOS_PROFILE !== 'production' || settings.CUSTOS_POLICY_PUBLIC_KEY) return;
      issues.addIssue({
        code: 'custom',
        path: ['CUSTOS_POLICY_PUBLIC_KEY'],
        message: 'a production profile believes only bundles signed with keys that you name',
      });
    }),
    process.env,
  ),
  environment: process.env,
});

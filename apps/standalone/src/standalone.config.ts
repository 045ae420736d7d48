import { join } from 'node:path';
import { z } from 'zod';
import { logVariables, MAIN_LEDGER } from '#libs/audit-log';
import { LOG_LEVELS, packageRoot, parseConfig, variable } from '#libs/platform';
import { vaultVariables } from '#libs/vault';
import { creditVariables } from '../../control/src/credits/credit-terms.js';
import { ingressVariables, refuseInProduction } from '../../ingress/src/ingress.config.js';
import { ledgerVariables } from '../../ledger/src/ledger.config.js';

const ROOT = packageRoot(import.meta.dirname);

/** In place of a URL: the vault in the product's own database, for a trial. Whoever backs that up keeps its keys. */
export const IN_OUR_DATABASE = 'embedded';

const schema = z.object({
  ...ingressVariables,
  ...logVariables,
  /** One process, one ledger; further ledgers need the apps as processes of their own. */
  CUSTOS_LEDGER_ID: z.literal(MAIN_LEDGER).default(MAIN_LEDGER),
  PORT: variable.port().default(8080),
  HOST: z.string().default('127.0.0.1'),
  CUSTOS_METRICS_PORT: variable.port().default(9464),
  CUSTOS_DATA_DIR: z.string().default('.custos'),
  CUSTOS_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  CUSTOS_MIGRATION_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  CUSTOS_AUDIT_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  ...vaultVariables,
  CUSTOS_VAULT_DATABASE_URL: z
    .union([z.literal(IN_OUR_DATABASE), variable.url('postgres', 'postgresql')], {
      error: () => `expected ${IN_OUR_DATABASE}, or a URL that starts with postgres://`,
    })
    .optional(),
  CUSTOS_VAULT_MIGRATION_DATABASE_URL: variable.url('postgres', 'postgresql').optional(),
  CUSTOS_POLICY_DIR: z.string().default(join(ROOT, 'policies')),
  CUSTOS_CATALOG: z.string().default(join(ROOT, 'libs', 'catalog', 'data')),
  CUSTOS_LOG_LEVEL: z.enum(LOG_LEVELS).default('warn'),
  ...ledgerVariables,
  ...creditVariables,
  OTEL_EXPORTER_OTLP_ENDPOINT: variable.url('http', 'https').optional(),
  OTEL_TRACES_SAMPLER_ARG: variable.ratio().default(0.01),
});

export type StandaloneConfig = z.output<typeof schema> & {
  /** The whole environment once more, for the providers' credentials by their usual names. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** Throws ConfigError with every fault at once. */
export function standaloneConfig(): StandaloneConfig {
  const checked = schema.superRefine(refuseInProduction).superRefine((settings, issues) => {
    if (settings.CUSTOS_PROFILE === 'production')
      issues.addIssue({
        code: 'custom',
        path: ['CUSTOS_PROFILE'],
        message:
          'standalone makes its own keys, which a production profile refuses: run the apps on their own',
      });
  });
  return { ...parseConfig(checked, process.env), environment: process.env };
}

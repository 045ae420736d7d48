import { join } from 'node:path';
import { auditLogMigrations } from '#libs/audit-log';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations, startEmbeddedPostgres, type Lifecycle, type Logger } from '#libs/platform';
import { controlMigrations } from '../../control/src/migrations/index.js';
import { policyMigrations } from '../../policy/src/policy.module.js';
import { routingMigrations } from '../../routing/src/switches/migrations/index.js';
import type { StandaloneConfig } from './standalone.config.js';

export interface Databases {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly auditUrl: string;
  readonly embedded: boolean;
}

/** PostgreSQL's own shutdown checkpoint can take seconds after heavy writing. */
const STOP_DEADLINE_MS = 30_000;

/** The configured PostgreSQL, or the embedded one below the data directory; then every schema up to date. */
export async function openDatabases(
  config: StandaloneConfig,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<Databases> {
  const databases = await locate(config, lifecycle, logger);
  const sets = {
    audit_log_migrations: auditLogMigrations,
    ledger_migrations: ledgerMigrations,
    control_migrations: controlMigrations,
    policy_migrations: policyMigrations,
    routing_migrations: routingMigrations,
  };
  for (const [tableName, migrations] of Object.entries(sets))
    await runMigrations({
      url: databases.ownerUrl,
      migrations,
      tableName,
      roles: { app: databases.appUrl, audit: databases.auditUrl },
    });
  return databases;
}

async function locate(
  config: StandaloneConfig,
  lifecycle: Lifecycle,
  logger: Logger,
): Promise<Databases> {
  const url = config.CUSTOS_DATABASE_URL;
  if (url !== undefined)
    return {
      ownerUrl: config.CUSTOS_MIGRATION_DATABASE_URL ?? url,
      appUrl: url,
      auditUrl: config.CUSTOS_AUDIT_DATABASE_URL ?? url,
      embedded: false,
    };
  const postgres = await startEmbeddedPostgres({
    dataDir: join(config.CUSTOS_DATA_DIR, 'postgres'),
    log: (message) => logger.info('postgres', { message }),
  });
  lifecycle.onShutdown(99, 'PostgreSQL', () => postgres.stop(), STOP_DEADLINE_MS);
  void postgres.exited.then(() => {
    if (lifecycle.signal.aborted) return;
    logger.error('postgres.gone', {});
    void lifecycle.shutdown('PostgreSQL ended').then(() => process.exit(1));
  });
  return {
    ownerUrl: postgres.ownerUrl,
    appUrl: postgres.appUrl,
    auditUrl: postgres.auditUrl,
    embedded: true,
  };
}

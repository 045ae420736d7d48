import { Module, type DynamicModule } from '@nestjs/common';
import { TOPICS } from '#libs/audit-events';
import { openProcessLog, type AuditWriter } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import {
  createHttpApp,
  HealthModule,
  HealthRegistry,
  InProcessSnapshotSource,
  Logger,
  runMigrations,
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import { readVaultKey, VaultKeeper } from '#libs/vault';
import { ensureBootstrapKeys } from './bootstrap-file.js';
import type { ControlOptions } from './control-options.js';
import { ControlPlane } from './control-plane.js';
import type { ControlConfig } from './control.config.js';
import { ControlModule } from './control.module.js';
import { creditTermsOf } from './credits/credit-terms.js';
import { CONTROL_ERRORS } from './errors.js';
import { openLedgerWriters } from './ledger-writers.js';
import { controlMigrations } from './migrations/index.js';

@Module({})
class ControlProcessModule {
  static register(options: ControlOptions, health: HealthRegistry): DynamicModule {
    return {
      module: ControlProcessModule,
      imports: [ControlModule.register(options), HealthModule.register(health)],
    };
  }
}

/** Control as a process of its own, with its own writer on the control topic. */
export async function startControl(config: ControlConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'control', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const writer = await openWriter(config, lifecycle);
  const writersOf = await openLedgerWriters(config, new SystemClock(), lifecycle);
  const health = new HealthRegistry();
  health.register('audit log', () => (writer.accepting ? undefined : 'does not acknowledge'));
  let keysAreWritten = false;
  health.register('first keys', () => (keysAreWritten ? undefined : 'are not written yet'));
  const module = ControlProcessModule.register(
    {
      databaseUrl: config.CUSTOS_DATABASE_URL,
      writer,
      writersOf,
      principals: new InProcessSnapshotSource<PrincipalsSnapshot>(),
      facts: new InProcessSnapshotSource<FactsSnapshot>(),
      creditTerms: creditTermsOf(config),
      ...vaultOf(config),
      internalToken: config.CUSTOS_INTERNAL_TOKEN,
      logger,
      health,
    },
    health,
  );
  const http = await createHttpApp(module, {
    host: config.HOST,
    port: config.PORT,
    logger,
    errors: CONTROL_ERRORS,
  });
  lifecycle.onShutdown(10, 'http', () => http.close());
  await ensureBootstrapKeys(config.CUSTOS_DATA_DIR, http.app.get(ControlPlane, { strict: false }));
  keysAreWritten = true;
  logger.info('control.listening', { url: http.url });
  return http;
}

function vaultOf(config: ControlConfig): Pick<ControlOptions, 'vault'> {
  const { CUSTOS_VAULT_DATABASE_URL: url, CUSTOS_VAULT_MIGRATION_DATABASE_URL: migrationUrl } =
    config;
  if (url === undefined) return {};
  return { vault: new VaultKeeper({ url, migrationUrl, key: readVaultKey(config) }) };
}

async function openWriter(config: ControlConfig, lifecycle: Lifecycle): Promise<AuditWriter> {
  const ownerUrl = config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL;
  await runMigrations({
    url: ownerUrl,
    migrations: controlMigrations,
    roles: { app: config.CUSTOS_DATABASE_URL },
    tableName: 'control_migrations',
  });
  const { writer } = await openProcessLog({
    settings: config,
    app: 'control',
    topic: TOPICS.control,
    databaseUrl: config.CUSTOS_DATABASE_URL,
    migrationUrl: ownerUrl,
    clock: new SystemClock(),
    lifecycle,
  });
  return writer;
}

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { TOPICS } from '#libs/audit-events';
import { auditLogMigrations, AuditWriter, openAppendLog, type AppendLog } from '#libs/audit-log';
import { loadCatalog, type Catalog } from '#libs/catalog';
import { decodePrincipals, PrincipalDirectory } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import { ledgerMigrations } from '#libs/ledger-store';
import {
  createHttpApp,
  HealthModule,
  HealthRegistry,
  HttpSnapshotSource,
  Logger,
  MappedSnapshotSource,
  runMigrations,
  startTelemetry,
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import type { LedgerConfig } from './ledger.config.js';
import { LEDGER_ERRORS } from './ledger.errors.js';
import { LedgerModule, type LedgerModuleOptions } from './ledger.module.js';
import { Ledger } from './ledger.js';

const POLL_TIMEOUT_MS = 5_000;
const CATALOG_FOLDER = join('libs', 'catalog', 'data');

@Module({})
class LedgerProcessModule {
  static register(options: LedgerModuleOptions, health: HealthRegistry): DynamicModule {
    return {
      module: LedgerProcessModule,
      imports: [LedgerModule.register(options), HealthModule.register(health)],
    };
  }
}

/** The ledger as a process of its own: its own writer on the audit topic, keys and limits polled from control. */
export async function startLedger(config: LedgerConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'ledger', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const clock = new SystemClock();
  const telemetry = await startTelemetry({
    serviceName: 'custos-ledger',
    metricsHost: config.HOST,
    metricsPort: config.CUSTOS_METRICS_PORT,
    traceSampleRatio: 0,
  });
  lifecycle.onShutdown(95, 'telemetry', () => telemetry.shutdown());
  await migrate(config);
  const log = await openLog(config);
  lifecycle.onShutdown(90, 'audit log', () => log.close());
  const audit = new AuditWriter({ log, topic: TOPICS.audit, app: 'ledger', clock });
  await audit.start();
  lifecycle.onShutdown(60, 'audit writer', () => audit.stop());
  const principals = new MappedSnapshotSource(
    new HttpSnapshotSource({
      url: `${config.CUSTOS_CONTROL_URL.replace(/\/+$/, '')}/internal/v1/snapshots/principals`,
      token: config.CUSTOS_INTERNAL_TOKEN,
      pollMs: config.CUSTOS_SNAPSHOT_POLL,
      timeoutMs: POLL_TIMEOUT_MS,
      decode: decodePrincipals,
      onFault: (fault) => logger.warn('principals.poll_failed', { kind: fault.kind }),
    }).start(),
    (snapshot) => new PrincipalDirectory(snapshot),
  );
  lifecycle.onShutdown(70, 'principals', () => principals.close());
  const ledger = new Ledger({
    databaseUrl: config.CUSTOS_DATABASE_URL,
    log,
    audit,
    catalog: readCatalog(config.CUSTOS_CATALOG ?? builtInCatalog(import.meta.dirname)),
    principals,
    clock,
    logger,
    hot: telemetry.hot,
    writerSilentMs: config.CUSTOS_WRITER_SILENT,
  });
  ledger.start();
  lifecycle.onShutdown(50, 'ledger', () => ledger.close());
  const health = new HealthRegistry();
  health.register('ledger', () => ledger.fault());
  health.register('audit log', () => (audit.accepting ? undefined : 'does not acknowledge'));
  const http = await createHttpApp(
    LedgerProcessModule.register(
      {
        ledger,
        internalToken: config.CUSTOS_INTERNAL_TOKEN,
        principals,
        principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
      },
      health,
    ),
    { host: config.HOST, port: config.PORT, logger, errors: LEDGER_ERRORS },
  );
  lifecycle.onShutdown(10, 'http', () => http.close());
  logger.info('ledger.listening', { url: http.url });
  return http;
}

async function migrate(config: LedgerConfig): Promise<void> {
  const url = config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL;
  if (config.CUSTOS_KAFKA_BROKERS === undefined)
    await runMigrations({
      url,
      migrations: auditLogMigrations,
      tableName: 'audit_log_migrations',
    });
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
}

const openLog = (config: LedgerConfig): Promise<AppendLog> =>
  openAppendLog(
    config.CUSTOS_KAFKA_BROKERS === undefined
      ? { postgres: { url: config.CUSTOS_DATABASE_URL, applicationName: 'custos ledger log' } }
      : { kafka: { brokers: config.CUSTOS_KAFKA_BROKERS, clientId: 'custos-ledger' } },
  );

const readCatalog = (folder: string): Catalog =>
  loadCatalog((name) => readFileSync(join(folder, name), 'utf8'));

/** The catalog that comes with the product: found from the sources and from the build alike. */
function builtInCatalog(from: string): string {
  const folder = join(from, CATALOG_FOLDER);
  if (existsSync(folder)) return folder;
  if (dirname(from) === from) throw new Error('the built-in catalog is not where it should be');
  return builtInCatalog(dirname(from));
}

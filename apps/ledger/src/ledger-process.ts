import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { TOPICS } from '#libs/audit-events';
import { openProcessLog, openProcessWriter } from '#libs/audit-log';
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
  packageRoot,
  runMigrations,
  startTelemetry,
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import { openLogKey } from './checkpoint/log-key.js';
import { LogPolicy } from './checkpoint/log-policy.js';
import { markPath } from './checkpoint/mark-file.js';
import { logEntriesFor, type LedgerConfig } from './ledger.config.js';
import { LEDGER_ERRORS } from './ledger.errors.js';
import { RetentionPolicy } from './retention/retention-policy.js';
import { LedgerModule, type LedgerModuleOptions } from './ledger.module.js';
import { Ledger } from './ledger.js';

const POLL_TIMEOUT_MS = 5_000;

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
  const logSigner = await openLogKey(config);
  const clock = new SystemClock();
  const telemetry = await startTelemetry({
    serviceName: 'custos-ledger',
    metricsHost: config.HOST,
    metricsPort: config.CUSTOS_METRICS_PORT,
    traceSampleRatio: 0,
  });
  lifecycle.onShutdown(95, 'telemetry', () => telemetry.shutdown());
  await migrate(config);
  const { log, writer: audit } = await openProcessLog({
    settings: config,
    app: 'ledger',
    topic: TOPICS.audit,
    databaseUrl: config.CUSTOS_DATABASE_URL,
    migrationUrl: config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL,
    clock,
    lifecycle,
  });
  const voice = await openProcessWriter(log, {
    app: 'ledger',
    topic: TOPICS.ledger,
    clock,
    lifecycle,
  });
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
    ledgerId: config.CUSTOS_LEDGER_ID,
    databaseUrl: config.CUSTOS_DATABASE_URL,
    log,
    audit,
    voice,
    catalog: readCatalog(config),
    principals,
    clock,
    logger,
    hot: telemetry.hot,
    writerSilentMs: config.CUSTOS_WRITER_SILENT,
    logSigner,
    logPolicy: LogPolicy.open(config.CUSTOS_LOG_POLICY, logSigner),
    logMark: {
      path: markPath(config),
      trustsDatabase: config.CUSTOS_PROFILE !== 'production',
    },
    checkpointMs: config.CUSTOS_CHECKPOINT_INTERVAL,
    retention: RetentionPolicy.open(config.CUSTOS_RETENTION_POLICY, config.CUSTOS_LEDGER_ID),
    invoiceIssuer: config.CUSTOS_INVOICE_ISSUER,
    tsa: { url: config.CUSTOS_TSA_URL, intervalMs: config.CUSTOS_TSA_INTERVAL },
  });
  await ledger.start();
  lifecycle.onShutdown(50, 'ledger', () => ledger.close());
  const health = new HealthRegistry();
  health.register('ledger', () => ledger.fault());
  health.registerNote('log', () => ledger.publicationFault());
  health.register('audit log', () => (audit.accepting ? undefined : 'does not acknowledge'));
  const http = await createHttpApp(
    LedgerProcessModule.register(
      {
        ledger,
        internalToken: config.CUSTOS_INTERNAL_TOKEN,
        principals,
        principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
        logEntries: logEntriesFor(config),
      },
      health,
    ),
    { host: config.HOST, port: config.PORT, logger, errors: LEDGER_ERRORS },
  );
  lifecycle.onShutdown(10, 'http', () => http.close());
  logger.info('ledger.listening', { url: http.url });
  return http;
}

const migrate = (config: LedgerConfig): Promise<unknown> =>
  runMigrations({
    url: config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL,
    migrations: ledgerMigrations,
    roles: { app: config.CUSTOS_DATABASE_URL },
    tableName: 'ledger_migrations',
  });

function readCatalog(config: LedgerConfig): Catalog {
  const builtIn = join(packageRoot(import.meta.dirname), 'libs', 'catalog', 'data');
  const folder = config.CUSTOS_CATALOG ?? builtIn;
  return loadCatalog((name) => readFileSync(join(folder, name), 'utf8'));
}

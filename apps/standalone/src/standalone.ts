import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS, type Topic } from '#libs/audit-events';
import {
  AuditWriter,
  logOptions,
  MAIN_LEDGER,
  openAppendLog,
  type AppendLog,
} from '#libs/audit-log';
import { FactsDirectory, type FactsSnapshot } from '#libs/catalog';
import { PrincipalDirectory, type PrincipalsSnapshot } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import {
  createHttpApp,
  describeError,
  HealthRegistry,
  InProcessSnapshotSource,
  Logger,
  MappedSnapshotSource,
  startTelemetry,
  type Lifecycle,
} from '#libs/platform';
import type { PolicyInForce } from '#libs/policy';
import type { RouteTable } from '#libs/routing';
import { ControlPlane } from '../../control/src/control-plane.js';
import { creditTermsOf } from '../../control/src/credits/credit-terms.js';
import { Ingress } from '../../ingress/src/ingress.js';
import { providerCredentials } from '../../ingress/src/ingress.config.js';
import { registerCompletionRoutes } from '../../ingress/src/routes/completion.routes.js';
import { readBuiltInCatalog } from '../../ingress/src/snapshots/read-catalog.js';
import { openLogKey } from '../../ledger/src/checkpoint/log-key.js';
import { LogPolicy } from '../../ledger/src/checkpoint/log-policy.js';
import { markPath } from '../../ledger/src/checkpoint/mark-file.js';
import { logEntriesFor } from '../../ledger/src/ledger.config.js';
import { Ledger } from '../../ledger/src/ledger.js';
import { RetentionPolicy } from '../../ledger/src/retention/retention-policy.js';
import {
  openSimulation,
  PolicyService,
  PolicySigner,
  readPolicyDirectory,
} from '../../policy/src/policy.module.js';
import { RoutingService } from '../../routing/src/routing.service.js';
import { writeFirstKeys, type Running } from './announce.js';
import { openVault } from './content-vault.js';
import { openDatabases } from './databases.js';
import { digestKey } from './local-secrets.js';
import { openSimulator } from './simulation.js';
import type { StandaloneConfig } from './standalone.config.js';
import { StandaloneModule } from './standalone.module.js';
import { STANDALONE_ERRORS } from './standalone.errors.js';

/** Everything in one process: each app's parts, put together as its own process would, joined in memory. */
export async function startStandalone(
  config: StandaloneConfig,
  lifecycle: Lifecycle,
): Promise<Running> {
  const logger = new Logger({ app: 'custos', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const clock = new SystemClock();
  const health = new HealthRegistry();
  let keysAreWritten = false;
  health.register('first keys', () => (keysAreWritten ? undefined : 'are not written yet'));
  const internalToken = randomBytes(32).toString('hex');
  const telemetry = await startTelemetry({
    serviceName: 'custos',
    metricsHost: config.HOST,
    metricsPort: config.CUSTOS_METRICS_PORT,
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    traceSampleRatio: config.OTEL_TRACES_SAMPLER_ARG,
  });
  lifecycle.onShutdown(95, 'telemetry', () => telemetry.shutdown());
  const databases = await openDatabases(config, lifecycle, logger);
  const catalog = readBuiltInCatalog(config.CUSTOS_CATALOG);
  const warn = (reason: string): void => logger.warn('audit.log', { reason });
  const open = async (app: string, url: string): Promise<AppendLog> => {
    const log = await openAppendLog(logOptions(config, app, url, warn));
    lifecycle.onShutdown(90, `audit log of ${app}`, () => log.close());
    return log;
  };
  const appLog = await open('standalone', databases.appUrl);
  const ingressLog = await open('ingress', databases.auditUrl);
  const fatal = (error: Error): void => {
    logger.error('standalone.failed', describeError(error));
    void lifecycle.shutdown('failed').then(() => process.exit(1));
  };

  const startedAtMs = clock.nowMs();
  const writer = async (app: string, topic: Topic): Promise<AuditWriter> => {
    const made = new AuditWriter({ log: appLog, topic, app, clock, onFatal: fatal });
    // Before it has started: one whose start fails would go on trying beside the writer of the next start.
    lifecycle.onShutdown(60, `writer of ${app}`, () => made.stop());
    await made.start();
    return made;
  };
  const controlWriter = await writer('control', TOPICS.control);
  const ledgerWriter = await writer('ledger', TOPICS.audit);
  const ledgerVoice = await writer('ledger', TOPICS.ledger);

  const principals = new InProcessSnapshotSource<PrincipalsSnapshot>();
  const directory = new MappedSnapshotSource(principals, (p) => new PrincipalDirectory(p));
  const customerFacts = new InProcessSnapshotSource<FactsSnapshot>();
  const factsDirectory = new MappedSnapshotSource(customerFacts, (f) => new FactsDirectory(f));
  const bundles = new InProcessSnapshotSource<PolicyInForce>();
  const policyFolder = readPolicyDirectory(config.CUSTOS_POLICY_DIR);
  const policy = new PolicyService({ catalog, bundles, clock, customerFacts: factsDirectory });
  const routes = new InProcessSnapshotSource<RouteTable>();
  const routing = await RoutingService.open({
    databaseUrl: databases.appUrl,
    catalog,
    events: controlWriter,
    routes,
    clock,
    logger,
  });
  lifecycle.onShutdown(50, 'routing', () => routing.close());
  const logSigner = await openLogKey(config);
  const ledger = new Ledger({
    databaseUrl: databases.appUrl,
    log: appLog,
    audit: ledgerWriter,
    voice: ledgerVoice,
    catalog,
    principals: directory,
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
    retention: RetentionPolicy.open(config.CUSTOS_RETENTION_POLICY, MAIN_LEDGER),
    invoiceIssuer: config.CUSTOS_INVOICE_ISSUER,
    tsa: { url: config.CUSTOS_TSA_URL, intervalMs: config.CUSTOS_TSA_INTERVAL },
  });
  await ledger.start();
  lifecycle.onShutdown(55, 'ledger', () => ledger.close());
  health.register('ledger', () => ledger.fault());
  health.registerNote('log', () => ledger.publicationFault());

  const simulator = await openSimulator(config, lifecycle);
  const vault = await openVault(config, databases, clock, logger);
  const ingress = new Ingress({
    settings: config,
    catalog,
    catalogDir: config.CUSTOS_CATALOG,
    targets: {
      mode: config.CUSTOS_PROVIDERS,
      plainHttp: config.CUSTOS_PROFILE !== 'production',
      holdOutputTokens: config.CUSTOS_HOLD_OUTPUT_TOKENS,
      ...(simulator === undefined ? {} : { simulatorUrl: simulator }),
      ...providerCredentials(config.environment, catalog.providers.values()),
    },
    ledgers: [{ id: MAIN_LEDGER, log: ingressLog, allowance: ledger.allowance }],
    clock,
    logger,
    telemetry,
    health,
    principals: directory,
    bundles,
    facts: factsDirectory,
    routes,
    report: (outcome) => void routing.reportOutcomes([outcome]),
    reportMismatch: (found) => policy.foundMismatch(found, 'system:ingress'),
    digestKey: await digestKey(config.CUSTOS_DATA_DIR),
    ...(vault && { vault: vault.store }),
    onFatal: fatal,
  });
  lifecycle.onShutdown(20, 'ingress', () => ingress.close(), config.CUSTOS_DRAIN_DEADLINE + 10_000);
  await ingress.start();

  const access = {
    internalToken,
    principals: directory,
    principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
  };
  // An embedded database belongs to this process alone (its directory is locked): whoever wrote before is dead.
  if (databases.embedded)
    void ledger.retireWriters({
      except: [
        ...ingress.writerIds,
        controlWriter.writerId,
        ledgerWriter.writerId,
        ledgerVoice.writerId,
      ],
      seenBeforeMs: startedAtMs,
    });

  const simulation = openSimulation({
    databaseUrl: databases.appUrl,
    service: policy,
    clock,
  });
  lifecycle.onShutdown(50, 'simulation', () => simulation.close());
  const module = StandaloneModule.register({
    catalog,
    health,
    control: {
      databaseUrl: databases.appUrl,
      writer: controlWriter,
      principals,
      facts: customerFacts,
      creditTerms: creditTermsOf(config),
      ...(vault && { vault: vault.keeper }),
      internalToken,
      logger,
      health,
    },
    routing: { service: routing, ...access },
    ledger: { ledger, ...access, logEntries: logEntriesFor(config) },
    policy: {
      service: policy,
      simulate: simulation.simulate,
      databaseUrl: databases.appUrl,
      writer: controlWriter,
      signer: await PolicySigner.inDataDirectory(config.CUSTOS_DATA_DIR),
      folder: policyFolder,
      readCatalogFile: (name) => readFileSync(join(config.CUSTOS_CATALOG, name), 'utf8'),
      logger,
      health,
      ...access,
    },
  });
  const http = await createHttpApp(module, {
    host: config.HOST,
    port: config.PORT,
    logger,
    errors: STANDALONE_ERRORS,
    idleTimeoutMs: config.CUSTOS_TOTAL_TIMEOUT,
    prepare: (fastify) =>
      registerCompletionRoutes(
        fastify,
        ingress.completions,
        config.CUSTOS_BODY_BYTES_MAX,
        (error) => logger.error('completion.failed', describeError(error)),
      ),
  });
  lifecycle.onShutdown(30, 'http', () => http.close());
  const control = http.app.get(ControlPlane, { strict: false });
  await control.publishPriceBook({
    version: catalog.priceBook.version,
    entries: catalog.endpoints.length,
  });
  const running = await writeFirstKeys(config, control, {
    baseUrl: http.url,
    metricsUrl: telemetry.metricsUrl,
    simulatorUrl: simulator,
    logVerifierKey: logSigner.verifierKey,
    logName: config.CUSTOS_KAFKA_BROKERS === undefined ? 'PostgreSQL' : 'Kafka',
    models: catalog.models.size,
  });
  keysAreWritten = true;
  return running;
}

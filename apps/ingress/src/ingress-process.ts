import { Module, type DynamicModule } from '@nestjs/common';
import { decodeFacts, FactsDirectory, type Catalog } from '#libs/catalog';
import { decodePrincipals, PrincipalDirectory } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
import {
  createHttpApp,
  describeError,
  HealthModule,
  HealthRegistry,
  HttpSnapshotSource,
  Logger,
  startTelemetry,
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import { PolicyReader } from '#libs/policy';
import { decodeRouteTable } from '#libs/routing';
import { ContentStore, readVaultKey } from '#libs/vault';
import { HTTP_ERRORS } from './http-errors.js';
import { Ingress } from './ingress.js';
import type { IngressConfig } from './ingress-process.config.js';
import { providerCredentials } from './ingress.config.js';
import { IngressModule } from './ingress.module.js';
import { ledgerBase, openLedgers } from './open-ledgers.js';
import { MismatchReporter } from './mismatch-reporter.js';
import { OutcomeReporter } from './outcome-reporter.js';
import { registerCompletionRoutes } from './routes/completion.routes.js';
import { LedgerBase, LedgerProxyController } from './routes/ledger-proxy.controller.js';
import { readBuiltInCatalog } from './snapshots/read-catalog.js';

const POLL_TIMEOUT_MS = 5_000;

@Module({})
class IngressProcessModule {
  static register(catalog: Catalog, health: HealthRegistry, ledgers: LedgerBase): DynamicModule {
    return {
      module: IngressProcessModule,
      imports: [IngressModule.register(catalog), HealthModule.register(health)],
      controllers: [LedgerProxyController],
      providers: [{ provide: LedgerBase, useValue: ledgers }],
    };
  }
}

/** The data plane as a process of its own: snapshots polled from their owners, leases asked of the ledger. */
export async function startIngress(config: IngressConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'ingress', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const health = new HealthRegistry();
  const catalog = readBuiltInCatalog(config.CUSTOS_CATALOG);
  const telemetry = await startTelemetry({
    serviceName: 'custos-ingress',
    metricsHost: config.HOST,
    metricsPort: config.CUSTOS_METRICS_PORT,
    otlpEndpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    traceSampleRatio: config.OTEL_TRACES_SAMPLER_ARG,
  });
  lifecycle.onShutdown(95, 'telemetry', () => telemetry.shutdown());
  const ledgers = await openLedgers(config, lifecycle, logger);

  const poll = <T>(
    base: string,
    name: string,
    decode: (json: unknown) => T | Promise<T>,
  ): HttpSnapshotSource<T> => {
    const source = new HttpSnapshotSource<T>({
      url: `${base.replace(/\/+$/, '')}/internal/v1/snapshots/${name}`,
      token: config.CUSTOS_INTERNAL_TOKEN,
      pollMs: config.CUSTOS_SNAPSHOT_POLL,
      timeoutMs: POLL_TIMEOUT_MS,
      decode,
      onFault: (fault) => logger.warn('snapshot.poll_failed', { snapshot: name, kind: fault.kind }),
    }).start();
    lifecycle.onShutdown(60, `snapshot ${name}`, () => source.close());
    return source;
  };
  const reporter = new OutcomeReporter(
    config.CUSTOS_ROUTING_URL,
    config.CUSTOS_INTERNAL_TOKEN,
    () => logger.debug('outcomes.not_reported', {}),
  );
  lifecycle.onShutdown(60, 'outcome reports', () => reporter.close());
  const findings = new MismatchReporter(
    config.CUSTOS_POLICY_URL.replace(/\/+$/, ''),
    config.CUSTOS_INTERNAL_TOKEN,
    () => logger.warn('evaluator.finding_not_delivered', {}),
  );
  lifecycle.onShutdown(60, 'evaluator findings', () => findings.close());
  const pinned = config.CUSTOS_POLICY_PUBLIC_KEY?.map(
    (x) => ({ kty: 'OKP', crv: 'Ed25519', x }) as const,
  );
  const policyReader = new PolicyReader(pinned);
  const principals = poll(
    config.CUSTOS_CONTROL_URL,
    'principals',
    (json) => new PrincipalDirectory(decodePrincipals(json)),
  );
  const clock = new SystemClock();
  const vaultUrl = config.CUSTOS_VAULT_DATABASE_URL;
  const ingress = new Ingress({
    settings: config,
    catalog,
    catalogDir: config.CUSTOS_CATALOG,
    targets: {
      mode: config.CUSTOS_PROVIDERS,
      plainHttp: config.CUSTOS_PROFILE !== 'production',
      holdOutputTokens: config.CUSTOS_HOLD_OUTPUT_TOKENS,
      ...(config.CUSTOS_SIMULATOR_URL === undefined
        ? {}
        : { simulatorUrl: config.CUSTOS_SIMULATOR_URL }),
      ...providerCredentials(config.environment, catalog.providers.values()),
    },
    ledgers,
    clock,
    ...(vaultUrl !== undefined && {
      vault: new ContentStore({ url: vaultUrl, key: readVaultKey(config), clock }),
    }),
    logger,
    telemetry,
    health,
    principals,
    facts: poll(
      config.CUSTOS_CONTROL_URL,
      'facts',
      (json) => new FactsDirectory(decodeFacts(json)),
    ),
    bundles: poll(config.CUSTOS_POLICY_URL, 'policy', (json) => policyReader.decode(json)),
    routes: poll(config.CUSTOS_ROUTING_URL, 'routes', decodeRouteTable),
    report: (outcome) => reporter.report(outcome),
    reportMismatch: (found) => findings.report(found),
    digestKey: Buffer.from(config.CUSTOS_DIGEST_KEY, 'hex'),
    onFatal: (error) => {
      logger.error('ingress.failed', describeError(error));
      void lifecycle.shutdown('ingress failed').then(() => process.exit(1));
    },
  });
  // Before it has started: a start that fails half-way may be made again in this process.
  lifecycle.onShutdown(20, 'ingress', () => ingress.close(), config.CUSTOS_DRAIN_DEADLINE + 10_000);
  await ingress.start();
  const http = await createHttpApp(
    IngressProcessModule.register(catalog, health, ledgerBase(config, principals)),
    {
      host: config.HOST,
      port: config.PORT,
      logger,
      errors: HTTP_ERRORS,
      idleTimeoutMs: config.CUSTOS_TOTAL_TIMEOUT,
      prepare: (fastify) =>
        registerCompletionRoutes(
          fastify,
          ingress.completions,
          config.CUSTOS_BODY_BYTES_MAX,
          (error) => logger.error('completion.failed', describeError(error)),
        ),
    },
  );
  lifecycle.onShutdown(30, 'http', () => http.close());
  logger.info('ingress.listening', { url: http.url });
  return http;
}

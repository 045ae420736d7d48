import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { TOPICS } from '#libs/audit-events';
import { openProcessLog, type AuditWriter } from '#libs/audit-log';
import { decodeFacts, FactsDirectory, loadCatalog, type CatalogFileName } from '#libs/catalog';
import { decodePrincipals, PrincipalDirectory } from '#libs/identity';
import { SystemClock, type Clock } from '#libs/kernel';
import {
  createHttpApp,
  HealthModule,
  HealthRegistry,
  HttpSnapshotSource,
  InProcessSnapshotSource,
  Logger,
  MappedSnapshotSource,
  packageRoot,
  runMigrations,
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import type { PolicyInForce } from '#libs/policy';
import type { PolicyConfig } from './policy.config.js';
import { policyMigrations } from './lifecycle/migrations/index.js';
import { PolicySigner } from './policy-signer.js';
import { POLICY_ERRORS } from './policy.errors.js';
import { PolicyModule, type PolicyModuleOptions } from './policy.module.js';
import { PolicyService } from './policy.service.js';
import { openSimulation } from './simulate/open-simulation.js';
import { readPolicyDirectory } from './read-policy-directory.js';

const POLL_TIMEOUT_MS = 5_000;

@Module({})
class PolicyProcessModule {
  static register(options: PolicyModuleOptions, health: HealthRegistry): DynamicModule {
    return {
      module: PolicyProcessModule,
      imports: [PolicyModule.register(options), HealthModule.register(health)],
    };
  }
}

/** The policy engine as a process of its own: its own writer on the control topic, keys polled from control. */
export async function startPolicy(config: PolicyConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'policy', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const root = packageRoot(import.meta.dirname);
  const catalogFolder = config.CUSTOS_CATALOG ?? join(root, 'libs', 'catalog', 'data');
  const readCatalogFile = (name: CatalogFileName): string =>
    readFileSync(join(catalogFolder, name), 'utf8');
  const folder = readPolicyDirectory(config.CUSTOS_POLICY_DIR ?? join(root, 'policies'));
  const keyFile = config.CUSTOS_POLICY_SIGNING_KEY_FILE;
  const signer =
    keyFile === undefined
      ? await PolicySigner.inDataDirectory(config.CUSTOS_DATA_DIR)
      : await PolicySigner.fromFile(keyFile);
  const clock = new SystemClock();
  const writer = await openWriter(config, lifecycle, clock);
  const poll = <T>(name: string, decode: (json: unknown) => T): HttpSnapshotSource<T> => {
    const source = new HttpSnapshotSource({
      url: `${config.CUSTOS_CONTROL_URL.replace(/\/+$/, '')}/internal/v1/snapshots/${name}`,
      token: config.CUSTOS_INTERNAL_TOKEN,
      pollMs: config.CUSTOS_SNAPSHOT_POLL,
      timeoutMs: POLL_TIMEOUT_MS,
      decode,
      onFault: (fault) => logger.warn(`${name}.poll_failed`, { kind: fault.kind }),
    }).start();
    lifecycle.onShutdown(50, name, () => source.close());
    return source;
  };
  const customerFacts = poll('facts', (json) => new FactsDirectory(decodeFacts(json)));
  const service = new PolicyService({
    customerFacts,
    catalog: loadCatalog(readCatalogFile),
    bundles: new InProcessSnapshotSource<PolicyInForce>(),
    clock,
  });

  const polled = poll('principals', decodePrincipals);
  const principals = new MappedSnapshotSource(
    polled,
    (snapshot) => new PrincipalDirectory(snapshot),
  );
  const simulation = openSimulation({
    databaseUrl: config.CUSTOS_DATABASE_URL,
    service,
    clock,
  });
  lifecycle.onShutdown(50, 'simulation', () => simulation.close());
  const health = new HealthRegistry();
  health.register('audit log', () => (writer.accepting ? undefined : 'does not acknowledge'));
  const module = PolicyProcessModule.register(
    {
      service,
      databaseUrl: config.CUSTOS_DATABASE_URL,
      writer,
      signer,
      folder,
      readCatalogFile,
      logger,
      health,
      internalToken: config.CUSTOS_INTERNAL_TOKEN,
      simulate: simulation.simulate,
      principals,
      principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
    },
    health,
  );
  const http = await createHttpApp(module, {
    host: config.HOST,
    port: config.PORT,
    logger,
    errors: POLICY_ERRORS,
  });
  lifecycle.onShutdown(10, 'http', () => http.close());
  logger.info('policy.listening', { url: http.url });
  return http;
}

async function openWriter(
  config: PolicyConfig,
  lifecycle: Lifecycle,
  clock: Clock,
): Promise<AuditWriter> {
  const url = config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL;
  await runMigrations({
    url,
    migrations: policyMigrations,
    tableName: 'policy_migrations',
    roles: { app: config.CUSTOS_DATABASE_URL },
  });
  const { writer } = await openProcessLog({
    settings: config,
    app: 'policy',
    topic: TOPICS.control,
    databaseUrl: config.CUSTOS_DATABASE_URL,
    migrationUrl: url,
    clock,
    lifecycle,
  });
  return writer;
}

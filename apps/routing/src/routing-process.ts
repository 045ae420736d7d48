import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOPICS } from '#libs/audit-events';
import { openProcessLog, type AuditWriter } from '#libs/audit-log';
import { loadCatalog, type Catalog } from '#libs/catalog';
import { decodePrincipals, PrincipalDirectory } from '#libs/identity';
import { SystemClock } from '#libs/kernel';
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
  type Lifecycle,
  type HttpApp,
} from '#libs/platform';
import type { RouteTable } from '#libs/routing';
import { Module, type DynamicModule } from '@nestjs/common';
import type { RoutingConfig } from './routing.config.js';
import { ROUTING_ERRORS } from './routing.errors.js';
import { RoutingModule, type RoutingModuleOptions } from './routing.module.js';
import { RoutingService } from './routing.service.js';
import { routingMigrations } from './switches/migrations/index.js';

const POLL_TIMEOUT_MS = 5_000;

@Module({})
class RoutingProcessModule {
  static register(options: RoutingModuleOptions, health: HealthRegistry): DynamicModule {
    return {
      module: RoutingProcessModule,
      imports: [RoutingModule.register(options), HealthModule.register(health)],
    };
  }
}

/** The routing service as a process of its own: its own writer on the control topic, keys polled from control. */
export async function startRouting(config: RoutingConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'routing', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const clock = new SystemClock();
  const events = await openWriter(config, lifecycle, clock);
  const routes = new InProcessSnapshotSource<RouteTable>();
  const service = await RoutingService.open({
    databaseUrl: config.CUSTOS_DATABASE_URL,
    catalog: readCatalog(config),
    events,
    routes,
    clock,
    logger,
  });
  lifecycle.onShutdown(50, 'routing service', () => service.close());
  const polled = new HttpSnapshotSource({
    url: `${config.CUSTOS_CONTROL_URL.replace(/\/+$/, '')}/internal/v1/snapshots/principals`,
    token: config.CUSTOS_INTERNAL_TOKEN,
    pollMs: config.CUSTOS_SNAPSHOT_POLL,
    timeoutMs: POLL_TIMEOUT_MS,
    decode: decodePrincipals,
    onFault: (fault) => logger.warn('principals.poll_failed', { kind: fault.kind }),
  }).start();
  lifecycle.onShutdown(50, 'principals', () => polled.close());
  const health = new HealthRegistry();
  health.register('switches', () => service.fault);
  health.register('audit log', () => (events.accepting ? undefined : 'does not acknowledge'));
  const module = RoutingProcessModule.register(
    {
      service,
      internalToken: config.CUSTOS_INTERNAL_TOKEN,
      principals: new MappedSnapshotSource(polled, (snapshot) => new PrincipalDirectory(snapshot)),
      principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
    },
    health,
  );
  const http = await createHttpApp(module, {
    host: config.HOST,
    port: config.PORT,
    logger,
    errors: ROUTING_ERRORS,
  });
  lifecycle.onShutdown(10, 'http', () => http.close());
  logger.info('routing.listening', { url: http.url });
  return http;
}

async function openWriter(
  config: RoutingConfig,
  lifecycle: Lifecycle,
  clock: SystemClock,
): Promise<AuditWriter> {
  const ownerUrl = config.CUSTOS_MIGRATION_DATABASE_URL ?? config.CUSTOS_DATABASE_URL;
  await runMigrations({
    url: ownerUrl,
    migrations: routingMigrations,
    roles: { app: config.CUSTOS_DATABASE_URL },
    tableName: 'routing_migrations',
  });
  const { writer } = await openProcessLog({
    settings: config,
    app: 'routing',
    topic: TOPICS.control,
    databaseUrl: config.CUSTOS_DATABASE_URL,
    migrationUrl: ownerUrl,
    clock,
    lifecycle,
  });
  return writer;
}

function readCatalog(config: RoutingConfig): Catalog {
  const builtIn = join(packageRoot(import.meta.dirname), 'libs', 'catalog', 'data');
  const folder = config.CUSTOS_CATALOG ?? builtIn;
  return loadCatalog((name) => readFileSync(join(folder, name), 'utf8'));
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { loadCatalog } from '#libs/catalog';
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
  type HttpApp,
  type Lifecycle,
} from '#libs/platform';
import type { PolicyBundle } from '#libs/policy';
import type { PolicyConfig } from './policy.config.js';
import { POLICY_ERRORS } from './policy.errors.js';
import { PolicyModule, type PolicyModuleOptions } from './policy.module.js';
import { PolicyService } from './policy.service.js';
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

/** The policy engine as a process of its own: rules from a folder, keys polled from control. */
export async function startPolicy(config: PolicyConfig, lifecycle: Lifecycle): Promise<HttpApp> {
  const logger = new Logger({ app: 'policy', level: config.CUSTOS_LOG_LEVEL });
  lifecycle.logger = logger;
  const root = packageRoot(import.meta.dirname);
  const catalogFolder = config.CUSTOS_CATALOG ?? join(root, 'libs', 'catalog', 'data');
  const service = new PolicyService({
    sources: readPolicyDirectory(config.CUSTOS_POLICY_DIR ?? join(root, 'policies')),
    catalog: loadCatalog((name) => readFileSync(join(catalogFolder, name), 'utf8')),
    bundles: new InProcessSnapshotSource<PolicyBundle>(),
    clock: new SystemClock(),
  });
  logger.info('policy.active', { version: service.bundle.version });

  const polled = new HttpSnapshotSource({
    url: `${config.CUSTOS_CONTROL_URL.replace(/\/+$/, '')}/internal/v1/snapshots/principals`,
    token: config.CUSTOS_INTERNAL_TOKEN,
    pollMs: config.CUSTOS_SNAPSHOT_POLL,
    timeoutMs: POLL_TIMEOUT_MS,
    decode: decodePrincipals,
    onFault: (fault) => logger.warn('principals.poll_failed', { kind: fault.kind }),
  }).start();
  lifecycle.onShutdown(50, 'principals', () => polled.close());
  const module = PolicyProcessModule.register(
    {
      service,
      internalToken: config.CUSTOS_INTERNAL_TOKEN,
      principals: new MappedSnapshotSource(polled, (snapshot) => new PrincipalDirectory(snapshot)),
      principalsMaxAgeMs: config.CUSTOS_SNAPSHOT_MAX_AGE,
    },
    // Bundles are served from memory: what answers is ready, with or without control.
    new HealthRegistry(),
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

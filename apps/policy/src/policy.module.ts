import { Module, type DynamicModule } from '@nestjs/common';
import { CqrsModule } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import { BundlesController } from './bundles.controller.js';
import { EffectiveController } from './effective.controller.js';
import { EvaluateController } from './evaluate.controller.js';
import { EvaluatorController } from './evaluator.controller.js';
import { ExceptionsController } from './exceptions.controller.js';
import { KeysController } from './keys.controller.js';
import { BundleQueries } from './lifecycle/bundle-queries.js';
import { ActivateBundleHandler } from './lifecycle/commands/activate-bundle.js';
import { DraftBundleHandler } from './lifecycle/commands/draft-bundle.js';
import {
  ApproveExceptionHandler,
  RequestExceptionHandler,
  RevokeExceptionHandler,
} from './lifecycle/commands/exceptions.js';
import { JudgeBundleHandler } from './lifecycle/commands/judge-bundle.js';
import { RollBackHandler } from './lifecycle/commands/roll-back.js';
import { SimulateBundleHandler } from './lifecycle/commands/simulate-bundle.js';
import { TrustEvaluatorHandler } from './lifecycle/commands/trust-evaluator.js';
import { ValidateBundleHandler } from './lifecycle/commands/validate-bundle.js';
import { POLICY_ENTITIES } from './lifecycle/entities/index.js';
import { LIFECYCLE_OPTIONS, type LifecycleOptions } from './lifecycle/lifecycle-options.js';
import { PolicyOutbox } from './lifecycle/policy-outbox.js';
import { PolicyFolder } from './policy-folder.js';
import { PolicySigner } from './policy-signer.js';
import { POLICY_ACCESS, type PolicyAccess } from './policy.guards.js';
import { PolicyService } from './policy.service.js';
import { SnapshotController } from './snapshot.controller.js';

export { policyMigrations } from './lifecycle/migrations/index.js';
export type { SimulateBundle as Simulation } from './lifecycle/lifecycle-options.js';
export { POLICY_ERRORS } from './policy.errors.js';
export { PolicyService, type PolicyServiceOptions } from './policy.service.js';
export { PolicySigner } from './policy-signer.js';
export { readPolicyDirectory } from './read-policy-directory.js';
export { openSimulation } from './simulate/open-simulation.js';

export interface PolicyModuleOptions extends PolicyAccess, LifecycleOptions {
  readonly service: PolicyService;
}

/** Changes are rare: a few connections serve requests and the relay. */
const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 10_000;

const HANDLERS = [
  ActivateBundleHandler,
  ApproveExceptionHandler,
  DraftBundleHandler,
  JudgeBundleHandler,
  RequestExceptionHandler,
  RevokeExceptionHandler,
  RollBackHandler,
  SimulateBundleHandler,
  TrustEvaluatorHandler,
  ValidateBundleHandler,
];

/**
 * The law: its versions on their way into force, each step recorded in the log before it takes effect; what is in
 * force for our own processes; and its meaning for people.
 */
@Module({})
export class PolicyModule {
  static register(options: PolicyModuleOptions): DynamicModule {
    return {
      module: PolicyModule,
      imports: [CqrsModule.forRoot({ rethrowUnhandled: true })],
      controllers: [
        SnapshotController,
        BundlesController,
        ExceptionsController,
        EffectiveController,
        KeysController,
        EvaluateController,
        EvaluatorController,
      ],
      providers: [
        { provide: PolicyService, useValue: options.service },
        { provide: POLICY_ACCESS, useValue: options },
        { provide: LIFECYCLE_OPTIONS, useValue: options },
        { provide: PolicySigner, useValue: options.signer },
        { provide: PolicyFolder, useFactory: () => new PolicyFolder(options.folder) },
        { provide: DataSource, useFactory: () => openDatabase(options.databaseUrl) },
        BundleQueries,
        PolicyOutbox,
        ...HANDLERS,
      ],
    };
  }
}

function openDatabase(url: string): Promise<DataSource> {
  return new DataSource({
    type: 'postgres',
    url,
    entities: POLICY_ENTITIES,
    logging: false,
    poolSize: POOL_SIZE,
    applicationName: 'custos policy',
    extra: { statement_timeout: STATEMENT_TIMEOUT_MS, connectionTimeoutMillis: CONNECT_TIMEOUT_MS },
  }).initialize();
}

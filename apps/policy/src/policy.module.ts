import { Module, type DynamicModule } from '@nestjs/common';
import { BundlesController } from './bundles.controller.js';
import { EvaluateController } from './evaluate.controller.js';
import { POLICY_ACCESS, type PolicyAccess } from './policy.guards.js';
import { PolicyService } from './policy.service.js';
import { SnapshotController } from './snapshot.controller.js';

export { POLICY_ERRORS } from './policy.errors.js';
export { PolicyService, type PolicyServiceOptions } from './policy.service.js';
export { readPolicyDirectory } from './read-policy-directory.js';

export interface PolicyModuleOptions extends PolicyAccess {
  readonly service: PolicyService;
}

/** The HTTP face of the policy engine: the bundle for our own processes, its meaning for people. */
@Module({})
export class PolicyModule {
  static register(options: PolicyModuleOptions): DynamicModule {
    return {
      module: PolicyModule,
      controllers: [SnapshotController, BundlesController, EvaluateController],
      providers: [
        { provide: PolicyService, useValue: options.service },
        { provide: POLICY_ACCESS, useValue: options },
      ],
    };
  }
}

import { Module, type DynamicModule } from '@nestjs/common';
import type { Catalog } from '#libs/catalog';
import { HealthModule, type HealthRegistry } from '#libs/platform';
import type { ControlOptions } from '../../control/src/control-options.js';
import { ControlModule } from '../../control/src/control.module.js';
import { IngressModule } from '../../ingress/src/ingress.module.js';
import { LedgerModule, type LedgerModuleOptions } from '../../ledger/src/ledger.module.js';
import { PolicyModule, type PolicyModuleOptions } from '../../policy/src/policy.module.js';
import { RoutingModule, type RoutingModuleOptions } from '../../routing/src/routing.module.js';

export interface StandaloneParts {
  readonly catalog: Catalog;
  readonly health: HealthRegistry;
  readonly control: ControlOptions;
  readonly routing: RoutingModuleOptions;
  readonly ledger: LedgerModuleOptions;
  readonly policy: PolicyModuleOptions;
}

/** All faces on one port. */
@Module({})
export class StandaloneModule {
  static register(parts: StandaloneParts): DynamicModule {
    return {
      module: StandaloneModule,
      imports: [
        IngressModule.register(parts.catalog),
        ControlModule.register(parts.control),
        PolicyModule.register(parts.policy),
        RoutingModule.register(parts.routing),
        LedgerModule.register(parts.ledger),
        HealthModule.register(parts.health),
      ],
    };
  }
}

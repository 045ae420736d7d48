import { Module, type DynamicModule } from '@nestjs/common';
import { AttestationController } from './attestation.controller.js';
import { EndpointsController } from './endpoints.controller.js';
import { ROUTING_ACCESS, type RoutingAccess } from './routing.guards.js';
import { RoutesController } from './routes.controller.js';
import { RoutingService } from './routing.service.js';

export interface RoutingModuleOptions extends RoutingAccess {
  /** Opened and closed by the caller. */
  readonly service: RoutingService;
}

/** The HTTP face of the routing service: route tables and outcomes for our own, switches for operators. */
@Module({})
export class RoutingModule {
  static register(options: RoutingModuleOptions): DynamicModule {
    return {
      module: RoutingModule,
      controllers: [RoutesController, EndpointsController, AttestationController],
      providers: [
        { provide: RoutingService, useValue: options.service },
        { provide: ROUTING_ACCESS, useValue: options },
      ],
    };
  }
}

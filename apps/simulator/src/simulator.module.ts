import { Inject, Module } from '@nestjs/common';
import type { DynamicModule, OnApplicationShutdown } from '@nestjs/common';
import { startSimulator } from './simulator.js';
import type { Simulator, SimulatorOptions } from './simulator.js';

/** Token of the running `Simulator`. */
export const SIMULATOR = Symbol('simulator');

/** The simulator with the application's life: listens before the application is ready, closes with it. */
@Module({})
export class SimulatorModule implements OnApplicationShutdown {
  constructor(@Inject(SIMULATOR) private readonly simulator: Simulator) {}

  static register(options: SimulatorOptions): DynamicModule {
    return {
      module: SimulatorModule,
      providers: [{ provide: SIMULATOR, useFactory: () => startSimulator(options) }],
      exports: [SIMULATOR],
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.simulator.close();
  }
}

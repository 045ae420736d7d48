import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { Simulator } from './simulator.js';
import { loadSimulatorConfig } from './simulator.config.js';
import { SIMULATOR, SimulatorModule } from './simulator.module.js';

const config = loadSimulatorConfig();
const app = await NestFactory.createApplicationContext(SimulatorModule.register(config), {
  logger: ['error', 'warn'],
  abortOnError: false,
});
app.enableShutdownHooks();
process.stdout.write(`simulator listening on ${app.get<Simulator>(SIMULATOR).url}\n`);

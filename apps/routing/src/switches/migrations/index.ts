import type { MigrationInterface } from 'typeorm';
import { EndpointSwitches1763721000001 } from './1763721000001-endpoint-switches.js';

/** In order; run under the owner's role before the service opens (`runMigrations`, table `routing_migrations`). */
export const routingMigrations: readonly (new () => MigrationInterface)[] = [
  EndpointSwitches1763721000001,
];

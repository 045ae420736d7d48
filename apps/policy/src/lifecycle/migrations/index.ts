import type { MigrationInterface } from 'typeorm';
import { PolicyTables1763722000001 } from './1763722000001-policy-tables.js';

/** In order, for `runMigrations`. */
export const policyMigrations: readonly (new () => MigrationInterface)[] = [
  PolicyTables1763722000001,
];

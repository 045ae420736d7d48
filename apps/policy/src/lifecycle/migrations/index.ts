import type { MigrationInterface } from 'typeorm';
import { PolicyTables1763722000001 } from './1763722000001-policy-tables.js';
import { EvaluatorTrust1763722000002 } from './1763722000002-evaluator-trust.js';
import { CatalogVersions1763722000003 } from './1763722000003-catalog-versions.js';

/** In order, for `runMigrations`. */
export const policyMigrations: readonly (new () => MigrationInterface)[] = [
  PolicyTables1763722000001,
  EvaluatorTrust1763722000002,
  CatalogVersions1763722000003,
];

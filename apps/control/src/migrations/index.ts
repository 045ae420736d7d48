import type { MigrationInterface } from 'typeorm';
import { ControlTables1763720200001 } from './1763720200001-control-tables.js';
import { CustomerFacts1763720200002 } from './1763720200002-customer-facts.js';
import { FactVersions1763720200003 } from './1763720200003-fact-versions.js';
import { LimitResets1763720200004 } from './1763720200004-limit-resets.js';
import { OrganisationLedger1763720200005 } from './1763720200005-organisation-ledger.js';
import { Money1763720200006 } from './1763720200006-money.js';
import { LegalHolds1763720200007 } from './1763720200007-legal-holds.js';
import { ContentVault1763800001000 } from './1763800001000-content-vault.js';
import { CreditByTwo1763800004000 } from './1763800004000-credit-by-two.js';
import { Refunds1763800009000 } from './1763800009000-refunds.js';

/** In order. For `runMigrations` with `schema: 'control'`. */
export const controlMigrations: readonly (new () => MigrationInterface)[] = [
  ControlTables1763720200001,
  CustomerFacts1763720200002,
  FactVersions1763720200003,
  LimitResets1763720200004,
  OrganisationLedger1763720200005,
  Money1763720200006,
  LegalHolds1763720200007,
  ContentVault1763800001000,
  CreditByTwo1763800004000,
  Refunds1763800009000,
];

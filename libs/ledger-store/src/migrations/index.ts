import { AuditorFilters1763700009000 } from './1763700009000-auditor-filters.js';
import { LedgerId1763700009500 } from './1763700009500-ledger-id.js';
import { PostingsOneByOne1763700009600 } from './1763700009600-postings-one-by-one.js';
import { LedgerTables1763700001000 } from './1763700001000-ledger-tables.js';
import { LedgerRules1763700002000 } from './1763700002000-ledger-rules.js';
import { BalancedByKey1763700009950 } from './1763700009950-balanced-by-key.js';
import { DocumentsFromLeaves1763700009900 } from './1763700009900-documents-from-leaves.js';
import { GivenUpHeads1763800003000 } from './1763800003000-given-up-heads.js';
import { Books1763700004000 } from './1763700004000-books.js';
import { Budgets1763700005000 } from './1763700005000-budgets.js';
import { TransparencyTables1763700003000 } from './1763700003000-transparency-tables.js';
import { CitedRecordsStay1763800002200 } from './1763800002200-cited-records-stay.js';
import { LeavesByTime1763800002300 } from './1763800002300-leaves-by-time.js';
import { RetentionIsTheOwners1763800002100 } from './1763800002100-retention-is-the-owners.js';
import { Retention1763700006000 } from './1763700006000-retention.js';
import { WhatIsOpen1763800005000 } from './1763800005000-what-is-open.js';
import { ErasuresStay1763800008000 } from './1763800008000-erasures-stay.js';
import { Refunds1763800009100 } from './1763800009100-refunds.js';
import { HoldsByEitherClock1763800011200 } from './1763800011200-holds-by-either-clock.js';
import { BoughtInOrderOfLeaves1763800011100 } from './1763800011100-bought-in-order-of-leaves.js';
import { PostedByItsClock1763800008500 } from './1763800008500-posted-by-its-clock.js';
import { PostingsReferAsASet1763800008600 } from './1763800008600-postings-refer-as-a-set.js';
import { Statements1763700007000 } from './1763700007000-statements.js';
import { PolicyReads1763700008000 } from './1763700008000-policy-reads.js';

/** In order. Run by the owner's role. */
export const ledgerMigrations = [
  LedgerTables1763700001000,
  LedgerRules1763700002000,
  TransparencyTables1763700003000,
  Books1763700004000,
  Budgets1763700005000,
  Retention1763700006000,
  Statements1763700007000,
  AuditorFilters1763700009000,
  LedgerId1763700009500,
  PostingsOneByOne1763700009600,
  PolicyReads1763700008000,
  DocumentsFromLeaves1763700009900,
  BalancedByKey1763700009950,
  RetentionIsTheOwners1763800002100,
  CitedRecordsStay1763800002200,
  LeavesByTime1763800002300,
  GivenUpHeads1763800003000,
  WhatIsOpen1763800005000,
  ErasuresStay1763800008000,
  PostedByItsClock1763800008500,
  PostingsReferAsASet1763800008600,
  Refunds1763800009100,
  BoughtInOrderOfLeaves1763800011100,
  HoldsByEitherClock1763800011200,
] as const;

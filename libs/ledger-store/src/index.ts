// The ledger in PostgreSQL: schema and its rules, the posting transaction, leases, queries for auditors.
// Every effect of a record changes together with the fence, so each record takes effect once.
export { Balances } from './balances.js';
export { Checkpoints, LEDGER_ID } from './checkpoints.js';
export type { CheckpointBody, PublishedCheckpoint } from './checkpoints.js';
export type { LeaseOutcome, LeaseRequest, PeriodUsage, ScopeUsage } from './balances.js';
export type { LedgerStoreErrorCode, QuarantineCode } from './errors.js';
export { ExportSnapshot } from './export-snapshot.js';
export type { AccountBalance, LeafRange } from './export-snapshot.js';
export type { JournalRecord } from './journal-records.js';
export { claimLogIdentity } from './log-identity.js';
export type { LogIdentity } from './log-identity.js';
export { LogQueries } from './log-queries.js';
export type { Queryable } from './log-queries.js';
export { ledgerMigrations } from './migrations/index.js';
export { OlderLeaves } from './older-leaves.js';
export { PostingTransaction } from './posting-transaction.js';
export type { Applied } from './posting-transaction.js';
export { PriceBooks } from './price-books.js';
export { ReceiptQueries } from './receipt-queries.js';
export type { CitedPriceBook } from './receipt-queries.js';
export type { SettleContext } from './settle-work.js';
export { checkTree, nextCheckpoint } from './stored-tree.js';
export { SweepQueries } from './sweep-queries.js';
export type { OpenGeneration, WriterSeen } from './sweep-queries.js';
export { TrailQueries } from './trail-queries.js';
export type { TrailFilter, TrailPage } from './trail-queries.js';
export { TrafficQueries } from './traffic-queries.js';
export type { CitedRecord, DecidedGeneration, TrafficFilter } from './traffic-queries.js';

// What happened and what it costs, as pure functions over audit events and price books: life cycle, rating,
// double entry, the auditor's trail. Integers only; the same events give the same books on any machine.
export { rate } from './rate.js';
export type { RatedAmount, RatedLine, TokenClass } from './rate.js';
export { worstCaseCost } from './worst-case.js';
export type { WorstCase } from './worst-case.js';
export { billableUsage } from './billable-usage.js';
export type { BillableUsage, BillingRule } from './billable-usage.js';
export { bookDue } from './book-due.js';
export type { Settled, Terms } from './book-due.js';
export { bookLeaf } from './book-leaf.js';
export type { Booking, BooksSoFar, Leaf } from './book-leaf.js';
export { invoiceKey } from './book-invoice.js';
export type { BookedInvoice } from './book-invoice.js';
export { isByTwo, purchaseOf } from './book-refund.js';
export type { BookedRefund } from './book-refund.js';
export { BooksInMemory } from './books-in-memory.js';
export { fold, isGenerationEvent, owesSettlement, unseen } from './life-cycle.js';
export type {
  Booked,
  Correction,
  Effect,
  GenerationEvent,
  GenerationState,
  GenerationStatus,
} from './life-cycle.js';
export { graceEndsMs, monthAfter, monthOf, PERIOD_GRACE_MS } from './period.js';
export type { ClosedPeriod, LogPlace } from './period.js';
export { reversalOf } from './journal.js';
export type { Journal, JournalKind, Posting } from './journal.js';
export { settle } from './settle.js';
export type { Prices, Settlement, SettlementFlag } from './settle.js';
export { csvLine } from './statement/csv.js';
export { formatCents, PICO_USD_PER_CENT, roundToCents } from './statement/cents.js';
export type { CustomerJournal } from './statement/charge.js';
export { FOCUS_COLUMNS, focusRows } from './statement/focus.js';
export type { FocusColumn, FocusContext, FocusRow } from './statement/focus.js';
export { ratingHistory } from './statement/rating-history.js';
export { StatementBuilder } from './statement/statement-builder.js';
export { statementDigest } from './statement/statement.js';
export type { CorrectionLine, Statement, StatementLine } from './statement/statement.js';
export { attemptsAt, compareUsage, ComparisonTotals } from './statement/usage-comparison.js';
export type { OurAttempt, ProviderUsage, UsageDifference } from './statement/usage-comparison.js';
export { assembleTrail } from './trail.js';
export type {
  LeafPlace,
  Noted,
  RemovedDocuments,
  SettledNote,
  Trail,
  TrailDocuments,
  TrailPosting,
} from './trail.js';

// The AppendLog port with its two adapters, PostgreSQL and Kafka (the only kafkajs import), and the writer
// that chains, batches and waits; and the outbox through which state changes go to the log before they take effect.
// An acknowledged record is durable; an unacknowledged one is never said to be.
export { AppendLog } from './append-log.js';
export type { AppendBatch, BatchReceipt, ConsumeOptions, Position } from './append-log.js';
export type { AppendOptions, AppendReceipt, EventAppender } from './audit-writer.js';
export { AuditWriter } from './audit-writer.service.js';
export type { AuditWriterOptions } from './audit-writer-options.js';
export type { AuditLogErrorCode } from './errors.js';
export { KafkaAppendLog } from './kafka/kafka-append-log.js';
export type { KafkaAppendLogOptions } from './kafka/kafka-append-log.js';
export { furtherLedgers } from './further-ledgers.js';
export type { FurtherLedger } from './further-ledgers.js';
export { LEDGER_ID, MAIN_LEDGER } from './kafka/topic-names.js';
export { openAppendLog } from './open-append-log.js';
export type { OpenAppendLogOptions } from './open-append-log.js';
export { demandReadable } from './outbox/demand-readable.js';
export { Outbox } from './outbox/outbox.js';
export type { Decide, Decided } from './outbox/outbox.js';
export type { DecidedChange, OutboxOptions, RecordedChange } from './outbox/outbox-options.js';
export { partitionOf } from './partition-of.js';
export { auditLogMigrations } from './postgres/migrations/index.js';
export { PostgresAppendLog } from './postgres/postgres-append-log.js';
export type { PostgresAppendLogOptions } from './postgres/postgres-append-log.js';
export { logOptions, logVariables } from './log-settings.js';
export type { LogSettings } from './log-settings.js';
export { openProcessLog, openProcessWriter } from './process-log.js';
export type { ProcessLogOptions } from './process-log.js';

// The AppendLog port with its two adapters, PostgreSQL and Kafka (the only kafkajs import), and the writer
// that chains, batches and waits. An acknowledged record is durable; an unacknowledged one is never said to be.
export { AppendLog } from './append-log.js';
export type {
  AppendBatch,
  BatchReceipt,
  ConsumeOptions,
  LogRecord,
  Position,
} from './append-log.js';
export type { AppendReceipt, EventAppender } from './audit-writer.js';
export type { AuditLogErrorCode } from './errors.js';

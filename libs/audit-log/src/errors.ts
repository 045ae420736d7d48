import { DomainError } from '#libs/kernel';

/** Closed set of this lib's error codes. */
export type AuditLogErrorCode =
  /** Durability is not known. The same bytes are repeated; they may already have landed. */
  | 'log_unavailable'
  /** The writer's own bound is reached; nothing was queued. */
  | 'log_queue_full'
  /** The store's settings would let an acknowledged record be lost. */
  | 'log_unsafe'
  /** A sequence or an offset is missing: records were lost, or the store was put back to an older state. */
  | 'log_gap'
  /** A value is over the ceiling of libs/audit-events; the writer's chain refuses it earlier. */
  | 'record_too_large'
  /** The writer was declared dead; it must never write again. */
  | 'writer_retired'
  /** The writer has not started or has been stopped. */
  | 'writer_stopped'
  /** An earlier change of the same outbox is not yet in the log; nothing was decided. */
  | 'changes_pending'
  /** Its record would be set aside by every reader, or cannot be kept; nothing was decided. */
  | 'change_unreadable';

/** `details` never carry bytes of a record. */
export const auditLogError = (
  code: AuditLogErrorCode,
  message: string,
  details: Readonly<Record<string, string | number | boolean>> = {},
  cause?: unknown,
): DomainError<AuditLogErrorCode> =>
  new DomainError(code, message, details, cause === undefined ? undefined : { cause });

/** True for a refusal that repeating the same batch can never cure. */
export const isFatalToWriter = (error: unknown): error is DomainError<AuditLogErrorCode> =>
  error instanceof DomainError && FATAL.has(error.code);

const FATAL: ReadonlySet<string> = new Set<AuditLogErrorCode>([
  'writer_retired',
  'log_gap',
  'record_too_large',
]);

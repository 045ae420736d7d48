/** Closed set of this lib's error codes. */
export type AuditLogErrorCode =
  | 'log_unavailable'
  | 'log_queue_full'
  | 'log_unsafe'
  | 'log_gap'
  | 'writer_retired'
  | 'writer_stopped';

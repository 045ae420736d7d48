import { DomainError } from '#libs/kernel';
import { auditLogError, type AuditLogErrorCode } from '../errors.js';

/**
 * What a failed query means for this lib. Only code and message of the server are taken over: `detail` may show
 * a row. `keep`: the connection itself is sound.
 */
export function fromPostgres(error: unknown): {
  readonly keep: boolean;
  readonly error: DomainError<AuditLogErrorCode>;
} {
  if (error instanceof DomainError)
    return { keep: false, error: error as DomainError<AuditLogErrorCode> };
  const sqlState =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = error instanceof Error ? error.message : 'unknown';
  switch (sqlState) {
    case 'CU001':
      return { keep: true, error: auditLogError('log_unsafe', reason) };
    case 'CU002':
      return { keep: true, error: auditLogError('record_too_large', reason) };
    default:
      // Class 57 (shutdown, cancel) and 08 (connection) end the connection; the rest is the statement's own.
      return {
        keep: /^[0-9A-Z]{5}$/.test(sqlState) && !/^(57|08|XX)/.test(sqlState),
        error: auditLogError('log_unavailable', `PostgreSQL: ${reason}`, { sqlState }),
      };
  }
}

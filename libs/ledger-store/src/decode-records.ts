import { createHash } from 'node:crypto';
import { decodeEvent, type DecodeResult } from '#libs/audit-events';
import type { LogRecord } from '#libs/audit-events';

/** A record with what could be read of it. */
export interface DecodedRecord extends LogRecord {
  /** Hex SHA-256 of the exact bytes: what the writer's next event names. */
  readonly sha256: string;
  readonly read: DecodeResult;
}

/** Total: an unreadable record is still a leaf. */
export const decodeRecord = (record: LogRecord): DecodedRecord => ({
  ...record,
  sha256: createHash('sha256').update(record.value).digest('hex'),
  read: decodeEvent(record.value),
});

import { createHash } from 'node:crypto';
import type { CustosEvent } from '#libs/audit-events';
import type { LogRecord } from '#libs/audit-log';

/** A record with what could be read of it. `problem` is our wording and quotes nothing. */
export interface DecodedRecord extends LogRecord {
  /** Hex SHA-256 of the exact bytes: what the writer's next event names. */
  readonly sha256: string;
  readonly event: CustosEvent | undefined;
  readonly problem: string;
}

/** Never throws: an unreadable record is still a leaf. */
export function decodeRecord(record: LogRecord): DecodedRecord {
  const sha256 = createHash('sha256').update(record.value).digest('hex');
  try {
    return { ...record, sha256, event: decodeEvent(record.value), problem: '' };
  } catch (error) {
    const problem = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    return { ...record, sha256, event: undefined, problem };
  }
}

const decodeEvent = (bytes: Buffer): CustosEvent =>
  JSON.parse(bytes.toString('utf8')) as CustosEvent;

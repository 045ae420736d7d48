import { hash } from 'node:crypto';
import { setImmediate as breathe } from 'node:timers/promises';
import { decodeEvent, type DecodeResult, type LogRecord } from '#libs/audit-events';
import { leafHash } from '#libs/transparency';

/** A record with what could be read of it. */
export interface DecodedRecord extends LogRecord {
  /** Hex SHA-256 of the exact bytes: what the writer's next event names. */
  readonly sha256: string;
  readonly leafHash: Buffer;
  readonly read: DecodeResult;
}

/** Records decoded in one go: half a millisecond, for which the answer to a statement waits at most. */
const DECODED_AT_ONCE = 8;

/** Total: an unreadable record is still a leaf. */
export const decodeRecord = (record: LogRecord): DecodedRecord => ({
  ...record,
  sha256: hash('sha256', record.value, 'hex'),
  leafHash: leafHash(record.value),
  read: decodeEvent(record.value),
});

/**
 * Decodes ahead of the posting, a few at a time: the database's answers to the batch before come through in between, and
 * it works while this does.
 */
export async function decodeRecords(
  records: readonly LogRecord[],
): Promise<readonly DecodedRecord[]> {
  const decoded: DecodedRecord[] = [];
  for (let n = 0; n < records.length; n += DECODED_AT_ONCE) {
    for (const record of records.slice(n, n + DECODED_AT_ONCE)) decoded.push(decodeRecord(record));
    await breathe();
  }
  return decoded;
}

import { unreadableAs } from '#libs/audit-events';
import { auditLogError } from '../errors.js';
import type { RecordedChange } from './outbox-options.js';

/** NUL, or half of a surrogate pair: JSON escapes them, and no text of a database can hold them. */
const NO_TEXT = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

/** Throws `change_unreadable` where readers would set that record aside: what was decided would be said, and never be. */
export function demandReadable(record: RecordedChange): void {
  const subject = 'subject' in record ? record.subject : record.data.subject;
  const fault = unreadableAs(record.type, subject, record.data);
  if (fault !== undefined)
    throw auditLogError('change_unreadable', 'No reader of the log could read the record of it.', {
      fault,
    });
}

/** The change as it lies in the table. Throws `change_unreadable` where no database could hold it. */
export function keepable(change: unknown): string {
  const json = JSON.stringify(change);
  if (NO_TEXT.test(json))
    throw auditLogError('change_unreadable', 'It holds characters that are no text.');
  return json;
}

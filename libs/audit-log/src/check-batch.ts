import { EVENT_BYTES_MAX } from '#libs/audit-events';
import type { AppendBatch } from './append-log.js';
import { auditLogError } from './errors.js';

/** What both logs refuse before a byte is sent: an empty batch and a value over the event contract's ceiling. */
export function checkBatch({ writer, firstWseq, values }: AppendBatch): void {
  if (values.length === 0) throw new TypeError('a batch has at least one value');
  for (let i = 0; i < values.length; i++) {
    const bytes = values[i]!.length;
    if (bytes > EVENT_BYTES_MAX || bytes === 0)
      throw auditLogError('record_too_large', `a value of ${bytes} bytes is refused`, {
        writer,
        wseq: firstWseq + i,
      });
  }
}

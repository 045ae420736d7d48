import { isEventTime } from '#libs/audit-events';
import { DomainError, isGenerationId } from '#libs/kernel';
import type { LedgerStoreErrorCode } from './errors.js';

/** Where the next page begins: the last row of this one. Opaque to callers. */
export interface Cursor {
  readonly receivedAt: string;
  readonly id: string;
}

export const writeCursor = ({ receivedAt, id }: Cursor): string =>
  Buffer.from(`${receivedAt}|${id}`, 'utf8').toString('base64url');

/** Throws `bad_cursor`. */
export function readCursor(text: string): Cursor {
  const [receivedAt, id, ...more] = Buffer.from(text, 'base64url').toString('utf8').split('|');
  if (
    receivedAt === undefined ||
    !isGenerationId(id) ||
    more.length > 0 ||
    !isEventTime(receivedAt)
  )
    throw new DomainError<LedgerStoreErrorCode>('bad_cursor', 'The cursor is not one of ours.');
  return { receivedAt, id };
}

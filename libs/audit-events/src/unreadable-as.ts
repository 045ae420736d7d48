import { writerId } from '#libs/kernel';
import { decodeEvent } from './decode-event.js';
import { time } from './shape.js';
import type { EventData, EventType } from './types.js';
import { WriterChain } from './writer-chain.js';

/** As long as an id of a writer gets: what fits behind it fits behind every other. */
const LONGEST_WRITER = writerId('w'.repeat(200));

/**
 * Why every reader would set such a record aside, as the place and what was expected there, never a value; undefined where
 * none would. For records that are rare and bear what somebody entered: it makes the record, and reads it.
 */
export function unreadableAs<T extends EventType>(
  type: T,
  subject: string,
  data: EventData[T],
): string | undefined {
  let bytes: Buffer;
  try {
    ({ bytes } = new WriterChain(LONGEST_WRITER).next(type, subject, 0, data));
  } catch {
    return 'too_large';
  }
  const decoded = decodeEvent(bytes);
  return decoded.ok ? undefined : decoded.fault;
}

/** A time as events say it: 24 characters, of the years 1 to 9999. */
export const isEventTime = (text: string): boolean => time(text) === undefined;

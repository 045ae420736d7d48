import { z } from 'zod';
import { isEventTime } from '#libs/audit-events';

/**
 * A time in a query, RFC 3339 with any offset; read as events say times, to the millisecond and in UTC. PostgreSQL knows no
 * year 0 and no offset of 23 hours.
 */
export const askedTime = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text).toISOString())
  .refine(isEventTime, 'expected a time of the years 1 to 9999 in UTC');

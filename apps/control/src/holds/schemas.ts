import { z } from 'zod';
import { isEventTime } from '#libs/audit-events';

const id = z.string().min(1).max(200);
const reason = z.string().trim().min(10).max(1_000);
/** To the millisecond and in UTC, as events say times. */
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text).toISOString())
  .refine(isEventTime, 'expected a time of the years 1 to 9999 in UTC');

/** Everything that is named must fit; nothing named is everything in the ledger. */
export const newHold = z
  .strictObject({
    matter: id,
    reason,
    organizationId: id.exactOptional(),
    workspaceId: id.exactOptional(),
    keyId: id.exactOptional(),
    from: time.exactOptional(),
    to: time.exactOptional(),
    /** Only where no organization, workspace or key says it. Default: the main one. */
    ledgerId: id.exactOptional(),
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from < to, {
    message: 'expected from before to',
    path: ['to'],
  });

export type NewHold = z.output<typeof newHold>;

export const liftHold = z.strictObject({ reason });

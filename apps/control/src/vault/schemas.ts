import { z } from 'zod';

const id = z.string().min(1).max(200);
/** In the log for ever: a case's number, never a person's name. */
export const reason = z.string().trim().min(10).max(1_000);
export const ticket = z.string().trim().min(1).max(200);

/** Ten years. */
const KEEP_DAYS_MAX = 3_660;

export const contentVault = z.discriminatedUnion('enabled', [
  z.strictObject({
    enabled: z.literal(true),
    keepDays: z.int().min(1).max(KEEP_DAYS_MAX),
    /** Requests are refused while the vault does not take anything. */
    required: z.boolean().default(false),
  }),
  z.strictObject({ enabled: z.literal(false) }),
]);

export const newReading = z.strictObject({
  generationId: id,
  reason,
  ticket: ticket.exactOptional(),
});

/** Whom the content is about, by the name that requests gave, or by the key that made requests which gave none. */
export const newErasure = z
  .strictObject({
    organizationId: id,
    subject: z.string().min(1).max(512).exactOptional(),
    keyId: id.exactOptional(),
    reason,
    ticket: ticket.exactOptional(),
  })
  .refine(({ subject, keyId }) => (subject === undefined) !== (keyId === undefined), {
    message: 'expected one of subject and keyId',
    path: ['subject'],
  });

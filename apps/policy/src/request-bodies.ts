// What the routes of the life cycle read from a request, and how they page.
import { z } from 'zod';
import { isEventTime } from '#libs/audit-events';
import { EXCEPTION_SCOPES } from '#libs/policy';

/** A country's worth of rules; more is a mistake. */
const FILES_MAX = 500;
/** A change in an emergency outlives a weekend, not a week. */
export const EXCEPTION_HOURS_MAX = 72;
const HOUR_MS = 3_600_000;

const text = z.string().trim().min(1).max(1_000);
const id = z.string().min(1).max(200);
const version = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'expected sha256: and 64 hex digits');

export const draftBody = z.strictObject({
  policies: z
    .record(z.string().min(1).max(200), z.string())
    .refine((files) => Object.keys(files).length <= FILES_MAX, `at most ${FILES_MAX} files`),
  schema: z.string().min(1).optional(),
  comment: text,
});

export const commentBody = z.strictObject({ comment: z.string().trim().max(1_000).default('') });

export const simulateBody = z.strictObject({
  since: z.iso
    .datetime({ offset: true })
    .transform((at) => new Date(at))
    .refine((at) => isEventTime(at.toISOString()), 'expected a time of the years 1 to 9999 in UTC'),
});

export const rollbackBody = z.strictObject({ reason: text, from: version.optional() });

export const revokeBody = z.strictObject({ reason: text });

export const exceptionBody = (nowMs: number) =>
  z.strictObject({
    policies: z
      .array(id)
      .min(1)
      .max(50)
      .transform((ids) => [...new Set(ids)].toSorted()),
    scope: z.strictObject({ kind: z.enum(EXCEPTION_SCOPES), id }),
    ticket: z.string().trim().min(1).max(100),
    reason: text,
    expiresAt: z.iso
      .datetime({ offset: true })
      .transform((at) => new Date(at))
      .refine((at) => at.getTime() > nowMs, 'expected an instant to come')
      .refine(
        (at) => at.getTime() <= nowMs + EXCEPTION_HOURS_MAX * HOUR_MS,
        `expected at most ${EXCEPTION_HOURS_MAX} hours from now`,
      ),
  });

const bundleVersion = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** A finding of one of our processes against the compiled evaluator. */
export const mismatchBody = z.strictObject({
  policyVersion: bundleVersion,
  catalogVersion: z.string().min(1).max(200),
  endpointId: z.string().min(1).max(400),
  foundBy: z.enum(['ingress']),
});

export const trustBody = z.strictObject({
  version: bundleVersion,
  reason: z.string().trim().min(1).max(1_000),
});

export const pageQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^([1-9]\d?|1\d\d|200)$/, 'expected 1 to 200')
    .default('50')
    .transform(Number),
  cursor: z
    .string()
    .max(400)
    .regex(/^[A-Za-z0-9_-]*$/, 'expected a cursor of an earlier answer')
    .default('')
    .transform((cursor) => Buffer.from(cursor, 'base64url').toString('utf8')),
});

export const cursorOf = (last: string | undefined): string | null =>
  last === undefined ? null : Buffer.from(last, 'utf8').toString('base64url');

import { z } from 'zod';
import { LEDGER_ID, MAIN_LEDGER } from '#libs/audit-log';
import { formatUsd, LIMIT_RESETS, parseUsd } from '#libs/kernel';
import { ROLES } from '#libs/identity';
import type { LimitPatch } from '../commands/set-limit.js';

const name = z.string().trim().min(1).max(200);
const word = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected a word of letters, digits, dot, dash');
const words = z.array(word).max(32);
const id = z.string().min(1).max(200);

/** Decimal USD in a string, so that no float ever stands between a budget and its ledger; null = unlimited. */
const limitUsd = z
  .string()
  .regex(/^\d{1,18}(\.\d{1,12})?$/, 'expected USD as a decimal string, at most 12 decimals')
  .transform(parseUsd)
  .nullable();
/** OpenRouter's words: by the UTC calendar, weeks from Monday; null = never, the limit is for the lifetime. */
const limitReset = z.enum(LIMIT_RESETS).nullable();

export const newOrganisation = z.strictObject({
  name,
  sector: word.default('general'),
  jurisdiction: word,
  prepaid: z.boolean().default(false),
  /** Which ledger keeps its records and books: for ever. */
  ledgerId: z.string().regex(LEDGER_ID, 'expected the id of a ledger').default(MAIN_LEDGER),
  limitUsd: limitUsd.default(null),
  limitReset: limitReset.default(null),
});

export const newWorkspace = z.strictObject({
  organizationId: id,
  name,
  environment: word.default('development'),
  strategy: z.enum(['cost-first', 'quality-first', 'balanced']).default('balanced'),
  limitUsd: limitUsd.default(null),
  limitReset: limitReset.default(null),
});

export const newKey = z.strictObject({
  workspaceId: id,
  label: z.string().trim().min(1).max(200),
  roles: z
    .array(z.enum(ROLES))
    .min(1)
    .transform((roles) => [...new Set(roles)])
    .refine((roles) => !roles.includes('admin') || !roles.includes('approver'), {
      error: 'expected one of admin and approver: two persons decide, so two keys',
    })
    .default(['inference']),
  defaults: z
    .strictObject({
      dataClass: z.enum(['public', 'internal', 'confidential', 'secret']).default('internal'),
      dataTags: words.default([]),
      subjectRegions: words.default([]),
      purpose: word.default('development'),
    })
    .prefault({}),
  limitUsd: limitUsd.default(null),
  limitReset: limitReset.default(null),
});

const patched = { limitUsd: limitUsd.exactOptional(), limitReset: limitReset.exactOptional() };
const saysSomething = (patch: object): boolean => Object.keys(patch).length > 0;

/** What is left out stays as it is. */
export const limitPatch = z
  .strictObject(patched)
  .refine(saysSomething, 'expected limitUsd or limitReset');

export const organisationPatch = z
  .strictObject({ ...patched, prepaid: z.boolean().exactOptional() })
  .refine(saysSomething, 'expected limitUsd, limitReset or prepaid');

export const limitPatchOf = ({
  limitUsd: amount,
  limitReset: reset,
  prepaid,
}: z.output<typeof organisationPatch>): LimitPatch => ({
  ...(amount !== undefined && { limitPicoUsd: amount }),
  ...(reset !== undefined && { limitReset: reset }),
  ...(prepaid !== undefined && { prepaid }),
});

export const limitScope = z.enum(['key', 'workspace', 'organisation']);
export const budget = z.strictObject({ limitUsd, limitReset: limitReset.default(null) });

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

export const usdOrNull = (amount: bigint | null): string | null =>
  amount === null ? null : formatUsd(amount);

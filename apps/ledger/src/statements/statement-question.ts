import { z } from 'zod';
import { DomainError } from '#libs/kernel';
import { askedTime } from '../asked-time.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/** 2026-11; a month of the UTC calendar. */
export const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;
const LIST_MAX = 1_000;

const id = z.string().min(1).max(200);
const month = z.string().regex(MONTH);

export const invoiceListQuery = z.strictObject({
  organisation: id.optional().meta({ description: 'Id of an organisation.' }),
  month: month.optional().meta({ description: 'A calendar month in UTC: 2026-11.' }),
  after: z
    .string()
    .regex(/^\d{4}-(0[1-9]|1[0-2])\/.{1,200}$/)
    .optional()
    .meta({ description: '`next` of the page before.' }),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIST_MAX)
    .default(100)
    .meta({ description: `Invoices per page, 1 to ${LIST_MAX}.` }),
});

export const INVOICE_FORMATS = ['json', 'csv', 'pdf'] as const;
export const invoiceQuery = z.strictObject({
  format: z.enum(INVOICE_FORMATS).default('json').meta({ description: 'Default: json.' }),
});

export const focusQuery = z.strictObject({
  from: askedTime.optional().meta({ description: 'Used at or after this time, RFC 3339.' }),
  to: askedTime.optional().meta({ description: 'Used before this time, RFC 3339.' }),
  month: month.optional().meta({ description: 'Billed in this month: 2026-11.' }),
  organisation: id.optional().meta({ description: 'Id of an organisation.' }),
});

export const reconcileQuery = z.strictObject({
  provider: id.meta({ description: 'Id of the provider whose export it is.' }),
  from: askedTime
    .optional()
    .meta({ description: 'Received at or after this time; default: the first in the file.' }),
  to: askedTime
    .optional()
    .meta({ description: 'Received before this time; default: the last in the file.' }),
});

/** Throws `invalid_statement_query`, naming the first parameter at fault. */
export function readQuestion<T extends z.ZodType>(schema: T, query: unknown): z.output<T> {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const parameter = String(
    issue.code === 'unrecognized_keys' ? issue.keys[0] : issue.path[0],
  ).slice(0, 64);
  throw invalidQuestion(
    parameter,
    issue.code === 'unrecognized_keys' ? 'is not known here' : 'has the wrong shape',
  );
}

export const invalidQuestion = (
  parameter: string,
  problem: string,
): DomainError<LedgerAppErrorCode> =>
  new DomainError('invalid_statement_query', `\`${parameter}\` ${problem}.`, { parameter });

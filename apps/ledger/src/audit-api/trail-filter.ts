import { z } from 'zod';
import { GENERATION_OUTCOMES } from '#libs/audit-events';
import { DomainError } from '#libs/kernel';
import type { TrailFilter } from '#libs/ledger-store';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/** A page of 200 trails is some 2 MB. */
const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;

const time = z.iso.datetime({
  offset: true,
  error: 'expected a time such as 2026-11-21T10:00:00Z',
});
const name = z.string().min(1).max(200);

const schema = z.strictObject({
  from: time.optional(),
  to: time.optional(),
  organisation: name.optional(),
  workspace: name.optional(),
  key: name.optional(),
  model: name.optional(),
  provider: name.optional(),
  status: z.enum(['open', 'refused', ...GENERATION_OUTCOMES]).optional(),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/)
    .transform(Number)
    .refine((n) => n <= LIMIT_MAX)
    .default(LIMIT_DEFAULT),
  cursor: z.string().min(1).max(300).optional(),
});

const EXPECTED: Readonly<Record<string, string>> = {
  from: 'expected a time such as 2026-11-21T10:00:00Z',
  to: 'expected a time such as 2026-11-21T10:00:00Z',
  status: `expected one of open, refused, ${GENERATION_OUTCOMES.join(', ')}`,
  limit: `expected a whole number, 1 to ${LIMIT_MAX}`,
};

/** Throws `invalid_filter`, naming the first parameter at fault and what was expected. */
export function readTrailFilter(query: unknown): TrailFilter {
  const parsed = schema.safeParse(query);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const parameter =
      issue.code === 'unrecognized_keys' ? String(issue.keys[0]) : String(issue.path[0]);
    const problem =
      issue.code === 'unrecognized_keys'
        ? 'is not a filter'
        : (EXPECTED[parameter] ?? 'expected 1 to 200 characters, once');
    throw invalid(parameter.slice(0, 64), problem);
  }
  const { from, to } = parsed.data;
  if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
    throw invalid('from', 'lies after `to`');
  return parsed.data;
}

const invalid = (parameter: string, problem: string): DomainError<LedgerAppErrorCode> =>
  new DomainError('invalid_filter', `\`${parameter}\`: ${problem}.`, { parameter });

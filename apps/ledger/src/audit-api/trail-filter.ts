import { z } from 'zod';
import { GENERATION_OUTCOMES } from '#libs/audit-events';
import { DomainError } from '#libs/kernel';
import type { TrailFilter } from '#libs/ledger-store';
import { askedTime } from '../asked-time.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/** A page of 200 trails is some 2 MB. */
const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;

const STATUSES = ['open', 'refused', ...GENERATION_OUTCOMES] as const;
export const TRAIL_FORMATS = ['json', 'jsonl', 'csv'] as const;
export type TrailFormat = (typeof TRAIL_FORMATS)[number];

const name = z.string().min(1).max(200);

/** What can be asked of the list; `meta` is what the OpenAPI document says of it. */
export const trailQuery = z.strictObject({
  from: askedTime.optional().meta({ description: 'Received at or after this time, RFC 3339.' }),
  to: askedTime.optional().meta({ description: 'Received before this time, RFC 3339.' }),
  organisation: name.optional().meta({ description: 'Id of an organisation.' }),
  workspace: name.optional().meta({ description: 'Id of a workspace.' }),
  key: name.optional().meta({ description: 'Id of a key (never the key itself).' }),
  model: name.optional().meta({ description: 'author/slug of the model that was chosen.' }),
  provider: name.optional().meta({ description: 'Who answered, else who was asked last.' }),
  country: z
    .string()
    .regex(/^([A-Za-z]{2,3}|unknown)$/)
    .optional()
    .meta({
      description:
        'A destination of an attempt: the seat of the provider, a place where inference may run, or the region of the offer, as the catalog has it now. ISO 3166-1 alpha-2, EEA, EU, or unknown.',
    }),
  policy: name
    .optional()
    .meta({ description: 'Id of a policy that the record gives as a reason.' }),
  refusal: name.optional().meta({ description: 'Stable code of the refusal.' }),
  attestation: z.literal('none').optional().meta({
    description:
      'Verdict on the attested hardware of an attempt. This version dispatches to none, so none is all there is.',
  }),
  status: z.enum(STATUSES).optional().meta({ description: 'Where the generation stands.' }),
  limit: z
    .string()
    .regex(/^[1-9]\d{0,3}$/)
    .transform(Number)
    .refine((n) => n <= LIMIT_MAX)
    .default(LIMIT_DEFAULT)
    .meta({ description: `Trails per page, 1 to ${LIMIT_MAX}.` }),
  cursor: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .meta({ description: '`nextCursor` of the page before.' }),
  format: z.enum(TRAIL_FORMATS).default('json').meta({
    description: 'json: one page. jsonl, csv: everything that the filter admits, streamed.',
  }),
});

const TIME_EXPECTED = 'expected a time such as 2026-11-21T10:00:00Z';
const EXPECTED: Readonly<Record<string, string>> = {
  from: TIME_EXPECTED,
  to: TIME_EXPECTED,
  status: `expected one of ${STATUSES.join(', ')}`,
  country: 'expected a country code such as DE, or EEA, EU, unknown',
  attestation: 'expected none: this version dispatches to no attested endpoint',
  limit: `expected a whole number, 1 to ${LIMIT_MAX}`,
  format: `expected one of ${TRAIL_FORMATS.join(', ')}`,
};

export interface TrailQuestion {
  readonly filter: TrailFilter;
  readonly format: TrailFormat;
}

/**
 * `destinationsIn`: where a country's attempts go, as `provider/region`.
 * Throws `invalid_filter`, naming the first parameter at fault and what was expected.
 */
export function readTrailQuestion(
  query: unknown,
  destinationsIn: (country: string) => readonly string[],
): TrailQuestion {
  const parsed = trailQuery.safeParse(query);
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
  const { from, to, country, attestation, format, ...filter } = parsed.data;
  if (from !== undefined && to !== undefined && Date.parse(from) > Date.parse(to))
    throw invalid('from', 'lies after `to`');
  return {
    format,
    filter: {
      ...filter,
      from,
      to,
      ...(country !== undefined && { destinations: destinationsIn(country.toUpperCase()) }),
      ...(attestation !== undefined && { dispatched: true }),
    },
  };
}

const invalid = (parameter: string, problem: string): DomainError<LedgerAppErrorCode> =>
  new DomainError('invalid_filter', `\`${parameter}\`: ${problem}.`, { parameter });

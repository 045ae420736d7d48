import * as z from 'zod';
import { CatalogError } from './errors.js';
import { EVIDENCE_CLASSES } from './evidence.js';
import { FACT_NAMES, FACT_SHAPES } from './fact-values.js';
import type { FactName, FactValue } from './fact-values.js';

/** The files of a catalog, in our own format; the built-in one is `libs/catalog/data`. */
export const CATALOG_FILE_NAMES = [
  'endpoints.jsonl',
  'models.jsonl',
  'providers.jsonl',
  'facts.jsonl',
] as const;
export type CatalogFileName = (typeof CATALOG_FILE_NAMES)[number];

const text = z.string().min(1);
const date = z.iso.date();
const dialect = z.enum(['openai-chat', 'anthropic-messages']);
const strings = z.array(text);
const tokens = z.int().positive();

const endpoint = z.strictObject({
  id: text,
  model: text,
  provider: text,
  upstream: text,
  region: text,
  contract: text,
  context: tokens,
  maxInput: tokens.optional(),
  maxOutput: tokens,
  in: strings,
  out: strings,
  tools: z.boolean(),
  reasoning: z.boolean(),
  structured: z.boolean().optional(),
  status: z.enum(['alpha', 'beta', 'deprecated']).optional(),
  /** As in a price book: read by `priceFromJson`. */
  price: z.unknown().optional(),
});
export type EndpointRecord = z.infer<typeof endpoint>;

const model = z.strictObject({
  id: z.string().regex(/^[^/\s]+\/[^/\s]+$/),
  name: text,
  author: text,
  family: text.optional(),
  openWeights: z.boolean().optional(),
  originCountry: z.string().length(2).optional(),
  releasedOn: text.optional(),
  context: tokens,
  quality: z
    .strictObject({ score: z.number().min(0).max(1), benchmark: text, source: text, date })
    .optional(),
  aliases: strings.optional(),
});
export type ModelRecord = z.infer<typeof model>;

const provider = z.strictObject({
  id: text,
  name: text,
  dialect,
  baseUrl: z.url().optional(),
  docUrl: z.url().optional(),
  credentialVariable: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
  stopsBillingOnCancel: z.boolean().optional(),
});

const evidence = {
  // No file attests: that word is a live attestation's alone.
  class: z.enum(EVIDENCE_CLASSES).exclude(['attested']),
  sources: strings.min(1),
  readOn: date,
  expiresOn: date,
  note: text.optional(),
};

const fact = z
  .strictObject({
    provider: text,
    model: text.optional(),
    region: text.optional(),
    contract: text.optional(),
    api: dialect.optional(),
    fact: z.enum(FACT_NAMES as readonly [FactName, ...FactName[]]),
    value: z.custom<FactValue | null>((value) => value !== undefined),
    ...evidence,
  })
  .superRefine((row, context) => {
    if (row.value !== null && !FACT_SHAPES[row.fact].safeParse(row.value).success)
      context.addIssue({ code: 'custom', path: ['value'], message: `not a value of ${row.fact}` });
  });
export type FactRow = z.infer<typeof fact>;

/** What all values of one member of `models.jsonl` rest on. */
const modelFact = z.strictObject({ models: z.enum(['originCountry', 'openWeights']), ...evidence });
export type ModelFactRow = z.infer<typeof modelFact>;

/** What the files say, each record valid by itself; references between them are the loader's. */
export interface CatalogRecords {
  readonly endpoints: readonly EndpointRecord[];
  readonly models: readonly ModelRecord[];
  readonly providers: readonly z.infer<typeof provider>[];
  readonly facts: readonly (FactRow | ModelFactRow)[];
}

/** Throws CatalogError `catalog-invalid` with the file, the line and what is wrong there. */
export function parseCatalogFiles(read: (name: CatalogFileName) => string): CatalogRecords {
  return {
    endpoints: lines('endpoints.jsonl', endpoint, read('endpoints.jsonl')),
    models: lines('models.jsonl', model, read('models.jsonl')),
    providers: lines('providers.jsonl', provider, read('providers.jsonl')),
    facts: lines('facts.jsonl', z.union([fact, modelFact]), read('facts.jsonl')),
  };
}

function lines<T>(file: CatalogFileName, schema: z.ZodType<T>, content: string): T[] {
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => record(file, index + 1, schema, json(file, index + 1, line)));
}

function record<T>(file: CatalogFileName, line: number, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(file, line, `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim());
}

function json(file: CatalogFileName, line: number, content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    throw invalid(file, line, 'not JSON');
  }
}

const invalid = (file: CatalogFileName, line: number, what: string): CatalogError =>
  new CatalogError('catalog-invalid', `${file}, record ${line}: ${what}`, { file, line });

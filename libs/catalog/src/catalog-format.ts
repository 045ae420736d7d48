import * as z from 'zod';
import { CatalogError } from './errors.js';
import { EVIDENCE_CLASSES, FACT_GROUPS } from './types.js';

/** The files of a catalog, in our own format; the built-in one is `libs/catalog/data`. */
export const CATALOG_FILE_NAMES = [
  'endpoints.jsonl',
  'models.jsonl',
  'providers.jsonl',
  'provider-facts.json',
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
  regions: z
    .record(
      text,
      z.strictObject({ processingRegions: strings.nullable(), pinned: z.boolean().nullable() }),
    )
    .optional(),
});

const facts = z.strictObject({
  provider: text,
  hqCountry: z.string().length(2).nullable(),
  controlledFrom: strings.nullable(),
  controlledFromBasis: text.optional(),
  processingRegions: strings.nullable(),
  pinned: z.boolean().nullable(),
  pinnedBasis: text.optional(),
  regionPinning: z.string().nullable(),
  operatorAccess: strings.nullable(),
  retentionDays: z.int().nonnegative().nullable(),
  zdr: z.enum(['default', 'self-serve', 'approval', 'none']).nullable(),
  trainsOnApiData: z.union([z.boolean(), z.enum(['opt-out', 'free-tier-only'])]).nullable(),
  baaOffered: z.boolean().nullable(),
  certifications: strings.nullable(),
  storageRegions: strings.nullable().optional(),
  subProcessors: strings.nullable().optional(),
  baaSigned: z.boolean().nullable().optional(),
  contractTerms: strings.nullable().optional(),
  transferTools: strings.nullable().optional(),
  exportControl: strings.nullable().optional(),
  evidence: z
    .partialRecord(
      z.enum(FACT_GROUPS),
      z.strictObject({
        class: z.enum(EVIDENCE_CLASSES),
        source: text,
        readOn: date,
        expiresOn: date,
      }),
    )
    .optional(),
  sources: strings,
  readOn: date,
  expiresOn: date,
});

/** What the files say, each record valid by itself; references between them are the loader's. */
export interface CatalogRecords {
  readonly endpoints: readonly EndpointRecord[];
  readonly models: readonly ModelRecord[];
  readonly providers: readonly z.infer<typeof provider>[];
  readonly facts: readonly z.infer<typeof facts>[];
}

/** Throws CatalogError `catalog-invalid` with the file, the line and what is wrong there. */
export function parseCatalogFiles(read: (name: CatalogFileName) => string): CatalogRecords {
  return {
    endpoints: lines('endpoints.jsonl', endpoint, read('endpoints.jsonl')),
    models: lines('models.jsonl', model, read('models.jsonl')),
    providers: lines('providers.jsonl', provider, read('providers.jsonl')),
    facts: list('provider-facts.json', facts, read('provider-facts.json')),
  };
}

function lines<T>(file: CatalogFileName, schema: z.ZodType<T>, content: string): T[] {
  return content
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => record(file, index + 1, schema, json(file, index + 1, line)));
}

function list<T>(file: CatalogFileName, schema: z.ZodType<T>, content: string): T[] {
  const rows = json(file, 1, content);
  if (!Array.isArray(rows)) throw invalid(file, 1, 'not a list');
  return rows.map((row: unknown, index) => record(file, index + 1, schema, row));
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

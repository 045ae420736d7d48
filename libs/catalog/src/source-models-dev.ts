import * as z from 'zod';
import { CatalogError } from './errors.js';

/**
 * The shape of the source files, as their README documents it; read once here into validated values. Prices stay
 * numbers until `priceFromUsdPerMillion` reads their shortest decimal text. Unknown members are refused: a new one may
 * change what a record means.
 */
const usdPerMillion = z.number().nonnegative();
const modality = z.enum(['text', 'image', 'audio', 'video', 'pdf']);
const tokens = z.int().nonnegative();

const offer = z.strictObject({
  provider: z.string(),
  id: z.string(),
  baseModel: z.string().optional(),
  name: z.string(),
  family: z.string().optional(),
  price: z
    .strictObject({
      input: usdPerMillion,
      output: usdPerMillion,
      cacheRead: usdPerMillion.optional(),
      cacheWrite: usdPerMillion.optional(),
      reasoning: usdPerMillion.optional(),
    })
    .optional(),
  tiers: z
    .array(
      z.strictObject({
        above: z.int().positive(),
        input: usdPerMillion,
        output: usdPerMillion,
        cacheRead: usdPerMillion.nullable().optional(),
      }),
    )
    .optional(),
  context: tokens,
  maxInput: tokens.optional(),
  maxOutput: tokens,
  in: z.array(modality),
  out: z.array(modality).optional(),
  tools: z.boolean(),
  reasoning: z.boolean(),
  structured: z.boolean().optional(),
  attachment: z.boolean(),
  temperature: z.boolean().optional(),
  openWeights: z.boolean(),
  knowledge: z.string().optional(),
  released: z.string(),
  updated: z.string(),
  status: z.enum(['alpha', 'beta', 'deprecated']).optional(),
});
export type SourceOffer = z.infer<typeof offer>;

const model = z.object({
  id: z.string(),
  lab: z.string(),
  name: z.string(),
  family: z.string().optional(),
  released: z.string(),
  openWeights: z.boolean(),
  context: tokens,
  out: z.array(modality),
  benchmarks: z
    .array(
      z.object({
        name: z.string(),
        score: z.number(),
        metric: z.string().optional(),
        source: z.string().optional(),
        date: z.string().optional(),
      }),
    )
    .optional(),
});
export type SourceModel = z.infer<typeof model>;

const provider = z.strictObject({
  id: z.string(),
  name: z.string(),
  api: z.string().optional(),
  doc: z.string(),
  adapter: z.string(),
  endpoints: z.int(),
});
export type SourceProvider = z.infer<typeof provider>;

const strings = z.array(z.string());
const facts = z.object({
  id: z.string(),
  name: z.string(),
  hqCountry: z.string().nullable(),
  processingRegions: strings.nullable(),
  regionPinning: z.string().nullable(),
  globalRoutingDefault: z.boolean().nullable(),
  retentionDaysDefault: z.number().nullable(),
  trainsOnApiData: z.union([z.boolean(), z.enum(['opt-out', 'free-tier-only'])]).nullable(),
  zdr: z.enum(['default', 'self-serve', 'approval', 'none']).nullable(),
  baaOffered: z.boolean().nullable(),
  certifications: strings.nullable(),
  sources: strings,
  checked: z.iso.date(),
});
export type SourceFacts = z.infer<typeof facts>;

const aiderRow = z.object({ model: z.string(), passRate: z.number(), date: z.string() });
export type AiderRow = z.infer<typeof aiderRow>;

/** The source directory's files by name; the importer's only input besides the reviewed tables. */
export interface Sources {
  readonly offers: readonly SourceOffer[];
  readonly models: readonly SourceModel[];
  readonly providers: readonly SourceProvider[];
  readonly facts: readonly SourceFacts[];
  readonly aider: readonly AiderRow[];
}

export const SOURCE_FILE_NAMES = [
  'endpoints.jsonl',
  'models.jsonl',
  'provider-index.json',
  'providers.json',
  'quality-aider-polyglot.json',
] as const;

/**
 * Reads and validates the source. Throws CatalogError `import-invalid`, naming the file; what `read` throws goes
 * through.
 */
export function readSources(read: (name: (typeof SOURCE_FILE_NAMES)[number]) => string): Sources {
  const rows = <T>(file: (typeof SOURCE_FILE_NAMES)[number], schema: z.ZodType<T>): T[] => {
    const text = read(file);
    try {
      return z.array(schema).parse(file.endsWith('.jsonl') ? jsonLines(text) : JSON.parse(text));
    } catch (cause) {
      throw new CatalogError(
        'import-invalid',
        `${file} breaks its documented format`,
        { file },
        { cause },
      );
    }
  };
  return {
    offers: rows('endpoints.jsonl', offer),
    models: rows('models.jsonl', model),
    providers: rows('provider-index.json', provider),
    facts: rows('providers.json', facts),
    aider: rows('quality-aider-polyglot.json', aiderRow),
  };
}

const jsonLines = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line));

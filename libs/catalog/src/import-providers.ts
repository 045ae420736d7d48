import * as z from 'zod';
import { CatalogError } from './errors.js';
import { FACT_NAMES } from './fact-values.js';
import type { FactName } from './fact-values.js';
import type { SourceProvider, SourceFacts } from './source-models-dev.js';
import type { Dialect } from './types.js';

/** What people reviewed about a provider beyond the source; every judgement has its basis beside it. */
const review = z.strictObject({
  id: z.string(),
  baseUrl: z.url().optional(),
  credentialVariable: z.string().optional(),
  contract: z.literal('subscription').optional(),
  stopsBillingOnCancel: z.boolean().optional(),
  controlledFrom: z.array(z.string()).optional(),
  controlledFromBasis: z.string().optional(),
  pinned: z.boolean().optional(),
  pinnedBasis: z.string().optional(),
  regions: z
    .record(
      z.string(),
      z.strictObject({
        processingRegions: z.array(z.string()).nullable(),
        pinned: z.boolean().nullable(),
      }),
    )
    .optional(),
  regionsBasis: z.string().optional(),
  /** Where a model or a lab is kept out of what the provider states in general. */
  exceptions: z
    .array(
      z.strictObject({
        model: z.string(),
        fact: z.enum(FACT_NAMES as readonly [FactName, ...FactName[]]),
        value: z.union([z.string(), z.number(), z.boolean(), z.null()]),
        basis: z.string(),
      }),
    )
    .optional(),
});
export type ProviderReview = z.infer<typeof review>;

/** Throws CatalogError `import-invalid`. */
export function parseProviderReview(text: string): ReadonlyMap<string, ProviderReview> {
  try {
    const rows = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => review.parse(JSON.parse(line)));
    return new Map(rows.map((row) => [row.id, row]));
  } catch (cause) {
    throw new CatalogError('import-invalid', 'provider review breaks its format', {}, { cause });
  }
}

/** A provider as it stands in `providers.jsonl`. */
export interface ProviderRecord {
  readonly id: string;
  readonly name: string;
  readonly dialect: Dialect;
  readonly baseUrl?: string;
  readonly docUrl?: string;
  readonly credentialVariable: string;
  readonly stopsBillingOnCancel?: boolean;
}

/** Adapters of the source that speak Anthropic's Messages API; every other one has an OpenAI-compatible door. */
const ANTHROPIC_ADAPTERS: ReadonlySet<string> = new Set([
  '@ai-sdk/anthropic',
  '@ai-sdk/google-vertex/anthropic',
]);

export function providerRecord(
  source: SourceProvider,
  reviewed: ProviderReview | undefined,
): ProviderRecord {
  const baseUrl = reviewed?.baseUrl ?? usableBase(source.api);
  return {
    id: source.id,
    name: source.name,
    dialect: ANTHROPIC_ADAPTERS.has(source.adapter) ? 'anthropic-messages' : 'openai-chat',
    ...(baseUrl === undefined ? {} : { baseUrl }),
    docUrl: source.doc,
    ...reviewedPart(source.id, reviewed),
  };
}

/** A provider of which only facts are known: callable once the customer names a base URL. */
export function factsOnlyRecord(
  source: SourceFacts,
  reviewed: ProviderReview | undefined,
): ProviderRecord {
  return {
    id: source.id,
    name: source.name,
    dialect: 'openai-chat',
    ...reviewedPart(source.id, reviewed),
  };
}

function reviewedPart(
  id: string,
  reviewed: ProviderReview | undefined,
): Pick<ProviderRecord, 'credentialVariable' | 'stopsBillingOnCancel'> {
  return {
    credentialVariable:
      reviewed?.credentialVariable ?? `${id.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_API_KEY`,
    ...(reviewed?.stopsBillingOnCancel === undefined
      ? {}
      : { stopsBillingOnCancel: reviewed.stopsBillingOnCancel }),
  };
}

/** Absent where it has a place holder for an account or a host: then the customer must name the whole base. */
function usableBase(api: string | undefined): string | undefined {
  if (api === undefined || api.includes('${')) return undefined;
  return api.replace(/\/chat\/completions$/, '').replace(/\/+$/, '');
}

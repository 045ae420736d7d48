import * as z from 'zod';
import { CatalogError } from './errors.js';
import type { SourceFacts, SourceProvider } from './source-models-dev.js';
import type { Dialect, ProviderFacts, RegionFacts } from './types.js';

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
  readonly regions?: Readonly<Record<string, RegionFacts>>;
}

/** A provider's facts as they stand in `provider-facts.json`. */
export interface FactsRecord extends ProviderFacts {
  readonly provider: string;
  readonly controlledFromBasis?: string;
  readonly pinnedBasis?: string;
  readonly regionPinning: string | null;
}

/** Adapters of the source that speak Anthropic's Messages API; every other one has an OpenAI-compatible door. */
const ANTHROPIC_ADAPTERS: ReadonlySet<string> = new Set([
  '@ai-sdk/anthropic',
  '@ai-sdk/google-vertex/anthropic',
]);

/** A compliance fact older than a year is read anew before it counts; until then it is unknown. */
const FACT_LIFETIME_DAYS = 365;

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

/** Restates one row; what the source has not established stays null, and operator access is in no source. */
export function factsRecord(
  source: SourceFacts,
  reviewed: ProviderReview | undefined,
): FactsRecord {
  return {
    provider: source.id,
    hqCountry: source.hqCountry,
    controlledFrom: reviewed?.controlledFrom ?? null,
    ...(reviewed?.controlledFromBasis === undefined
      ? {}
      : { controlledFromBasis: reviewed.controlledFromBasis }),
    processingRegions: source.processingRegions,
    pinned: reviewed?.pinned ?? null,
    ...(reviewed?.pinnedBasis === undefined ? {} : { pinnedBasis: reviewed.pinnedBasis }),
    regionPinning: source.regionPinning,
    operatorAccess: null,
    retentionDays: source.retentionDaysDefault,
    zdr: source.zdr,
    trainsOnApiData: source.trainsOnApiData,
    baaOffered: source.baaOffered,
    certifications: source.certifications,
    sources: source.sources,
    readOn: source.checked,
    expiresOn: daysAfter(source.checked, FACT_LIFETIME_DAYS),
  };
}

function reviewedPart(
  id: string,
  reviewed: ProviderReview | undefined,
): Pick<ProviderRecord, 'credentialVariable' | 'stopsBillingOnCancel' | 'regions'> {
  return {
    credentialVariable:
      reviewed?.credentialVariable ?? `${id.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_API_KEY`,
    ...(reviewed?.stopsBillingOnCancel === undefined
      ? {}
      : { stopsBillingOnCancel: reviewed.stopsBillingOnCancel }),
    ...(reviewed?.regions === undefined ? {} : { regions: reviewed.regions }),
  };
}

/** Absent where it has a place holder for an account or a host: then the customer must name the whole base. */
function usableBase(api: string | undefined): string | undefined {
  if (api === undefined || api.includes('${')) return undefined;
  return api.replace(/\/chat\/completions$/, '').replace(/\/+$/, '');
}

function daysAfter(isoDate: string, days: number): string {
  const date = new Date(`${isoDate}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

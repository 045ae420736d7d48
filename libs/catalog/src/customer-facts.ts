import { canonicalJson, sha256 } from '#libs/kernel';
import type { Json } from '#libs/kernel';
import * as z from 'zod';
import { CatalogError } from './errors.js';
import { factStatement } from './fact-statement.js';
import { FACT_SHAPES } from './fact-values.js';
import type { FactName, FactValue } from './fact-values.js';
import type { Catalog, FactStatement, Provider } from './types.js';

/** What a contract can settle. Whose a provider is and where it sits, no customer's document decides. */
export const CUSTOMER_FACT_NAMES = [
  'baaSigned',
  'confidentialLevel',
  'contractTerms',
  'exportControl',
  'operatorAccess',
  'pinned',
  'processingRegions',
  'retentionDays',
  'storageRegions',
  'subProcessors',
  'trainsOnApiData',
  'transferTools',
  'zdr',
] as const satisfies readonly FactName[];
export type CustomerFactName = (typeof CUSTOMER_FACT_NAMES)[number];

const name = z.string().min(1).max(200);
const instant = z.union([z.iso.date(), z.iso.datetime()]);

/** The document a customer's fact rests on. The document itself stays with the customer; its digest names it. */
export const customerEvidence = z
  .strictObject({
    documentSha256: z.string().regex(/^[0-9a-f]{64}$/),
    title: z.string().trim().min(1).max(200),
    class: z.literal('contract'),
    validFrom: instant,
    expiresOn: instant,
  })
  .refine((e) => Date.parse(e.validFrom) <= Date.parse(e.expiresOn), {
    path: ['expiresOn'],
    message: 'expected to be no earlier than validFrom',
  });

const shape = z
  .strictObject({
    provider: name,
    scope: z
      .strictObject({
        model: name.exactOptional(),
        region: name.exactOptional(),
        contract: name.exactOptional(),
        api: z.enum(['openai-chat', 'anthropic-messages']).exactOptional(),
      })
      .prefault({}),
    fact: z.enum(CUSTOMER_FACT_NAMES),
    value: z.union([z.boolean(), z.number(), z.string(), z.array(z.string()).max(200)]),
    evidence: customerEvidence,
  })
  .superRefine(({ fact, value }, context) => {
    if (!FACT_SHAPES[fact].safeParse(value).success)
      context.addIssue({ code: 'custom', path: ['value'], message: `not a value of ${fact}` });
  });

/** What a customer states of one provider's offers. */
export const customerStatement = shape;
export type CustomerStatement = z.output<typeof shape>;

/** A statement in force (approved by a second person, not revoked) for one organisation. */
export interface CustomerFact extends CustomerStatement {
  readonly id: string;
  readonly organisationId: string;
  /** One person took it out of use: what it was about is unknown until a second one agrees that it goes. */
  readonly suspended?: true;
}

/** Facts of every organisation at one moment. */
export interface FactsSnapshot {
  /** `sha256:…` over the facts. */
  readonly version: string;
  /** Ascending by id. */
  readonly facts: readonly CustomerFact[];
}

/** One organisation's facts: plain data, so that it can be sent to a worker. */
export interface OrganisationFacts {
  /** `sha256:…`: what a decision that rests on them cites. */
  readonly version: string;
  readonly facts: readonly CustomerFact[];
}

export const factsSnapshot = (facts: readonly CustomerFact[]): FactsSnapshot =>
  organisationFacts(facts);

export const encodeFacts = (snapshot: FactsSnapshot): string => JSON.stringify(snapshot);

const snapshotShape = z.object({
  version: z.string(),
  facts: z.array(z.looseObject({ id: name, organisationId: name })),
});
const suspendedShape = z.literal(true).optional();

/** The value of a parsed JSON text. Throws CatalogError `facts-invalid` on anything that is not exactly a snapshot. */
export function decodeFacts(json: unknown): FactsSnapshot {
  const parsed = snapshotShape.safeParse(json);
  if (!parsed.success) throw invalid('not a snapshot of facts', parsed.error);
  const facts = parsed.data.facts.map((row): CustomerFact => {
    const { id, organisationId, suspended, ...stated } = row as unknown as CustomerFact;
    const statement = shape.safeParse(stated);
    if (!statement.success) throw invalid('a fact breaks its format', statement.error);
    if (!suspendedShape.safeParse(suspended).success) throw invalid('suspended is not true');
    return { id, organisationId, ...statement.data, ...(suspended && { suspended }) };
  });
  if (versionOf(facts) !== parsed.data.version)
    throw invalid('the version is not the digest of the content');
  return { version: parsed.data.version, facts };
}

/** Facts of one organisation under the version that decisions on them cite. Their order does not matter. */
export function organisationFacts(facts: readonly CustomerFact[]): OrganisationFacts {
  const ordered = facts.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return { version: versionOf(ordered), facts: ordered };
}

/** A version as it was stored. Throws CatalogError `facts-invalid` where it is not what its version says. */
export const decodeOrganisationFacts = (version: string, facts: unknown): OrganisationFacts =>
  decodeFacts({ version, facts });

/** Facts by organisation: made once per snapshot. */
export class FactsDirectory {
  readonly #byOrganisation = new Map<string, OrganisationFacts>();

  constructor({ facts }: FactsSnapshot) {
    for (const [id, own] of Map.groupBy(facts, ({ organisationId }) => organisationId))
      this.#byOrganisation.set(id, organisationFacts(own));
  }

  /** Undefined where the organisation has stated nothing. */
  of(organisationId: string): OrganisationFacts | undefined {
    return this.#byOrganisation.get(organisationId);
  }
}

/** The catalog as it is for one organisation. Its version stays: what was laid over it has its own. */
export function overlayFacts(catalog: Catalog, { facts }: OrganisationFacts): Catalog {
  const providers = new Map<string, Provider>(catalog.providers);
  for (const [id, own] of Map.groupBy(facts, ({ provider }) => provider)) {
    const provider = providers.get(id);
    if (provider === undefined) continue;
    providers.set(id, { ...provider, facts: [...provider.facts, ...own.map(statementOf)] });
  }
  return { ...catalog, providers };
}

function statementOf({ fact, value, scope, evidence, suspended }: CustomerFact): FactStatement {
  return factStatement({
    fact,
    // Not left out: then the wider statement of the catalog would hold again, which may admit more.
    value: suspended ? null : (value as FactValue),
    scope,
    customer: true,
    fromMs: Date.parse(evidence.validFrom),
    evidence: {
      class: evidence.class,
      sources: [`sha256:${evidence.documentSha256}`],
      readOn: evidence.validFrom,
      expiresOn: evidence.expiresOn,
      note: evidence.title,
    },
  });
}

const versionOf = (facts: readonly CustomerFact[]): string =>
  sha256(canonicalJson(facts as unknown as Json));

const invalid = (message: string, cause?: unknown): CatalogError =>
  new CatalogError('facts-invalid', message, {}, { cause });

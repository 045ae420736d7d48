import { CatalogError } from './errors.js';
import { factRows, modelFactRows } from './import-facts.js';
import { factsOnlyRecord, parseProviderReview, providerRecord } from './import-providers.js';
import type { ProviderReview } from './import-providers.js';
import { qualityByModel } from './import-quality.js';
import { ModelIdentity, parseIdentityTable } from './model-identity.js';
import { modelRecords } from './import-models.js';
import { chatOffersOf, endpointRecord } from './import-offers.js';
import type { PlacedOffer } from './import-offers.js';
import { parseAuthors } from './authors.js';
import type { Exclusion } from './not-chat.js';
import type { SourceOffer, Sources } from './source-models-dev.js';
import type { CatalogFileName } from './catalog-format.js';

/** Reviewed tables that lie beside the catalog's files and that an import reads and never writes. */
export const REVIEWED_FILE_NAMES = [
  'model-identity.json',
  'authors.jsonl',
  'provider-review.jsonl',
] as const;

export interface ReviewedTables {
  readonly 'model-identity.json': string;
  readonly 'authors.jsonl': string;
  readonly 'provider-review.jsonl': string;
}

export interface ImportResult {
  /** Text of every catalog file: the same source and tables always give the same bytes. */
  readonly files: Readonly<Record<CatalogFileName, string>>;
  readonly report: {
    readonly endpoints: number;
    readonly models: number;
    readonly providersWithOffers: number;
    readonly excluded: Readonly<Record<Exclusion, number>>;
    readonly unpriced: number;
    readonly roundedSubPico: number;
    /** Offers that the identity table does not list; each is a model of its own until it is reviewed. */
    readonly unlisted: readonly string[];
  };
}

/**
 * models.dev's data, already read and validated, → our catalog. Pure. Throws CatalogError where an endpoint id would
 * be taken twice or a table is at fault; it never drops or renames in silence.
 */
export function importModelsDev(sources: Sources, tables: ReviewedTables): ImportResult {
  const identity = new ModelIdentity(parseIdentityTable(tables['model-identity.json']));
  const reviews = parseProviderReview(tables['provider-review.jsonl']);
  const authors = parseAuthors(tables['authors.jsonl']);
  const { placed, excluded } = place(sources, identity, reviews);
  const bases = new Map(sources.models.map((model) => [model.id, model]));
  const models = modelRecords(placed, identity.table, bases, authors);
  const known = new Set(models.map(({ id }) => id));
  const quality = qualityByModel(sources.models, sources.aider, (base) => {
    const { model, listed } = identity.of({ provider: 'models.dev', id: base, baseModel: base });
    return listed && known.has(model) ? model : undefined;
  });
  const indexed = new Set(sources.providers.map(({ id }) => id));
  const providers = [
    ...sources.providers.map((source) => providerRecord(source, reviews.get(source.id))),
    ...sources.facts
      .filter(({ id }) => !indexed.has(id))
      .map((source) => factsOnlyRecord(source, reviews.get(source.id))),
  ];
  const facts = [
    ...modelFactRows([...authors.values()].map(({ readOn }) => readOn).toSorted()[0] ?? ''),
    ...sources.facts
      .toSorted(by('id'))
      .flatMap((source) => factRows(source, reviews.get(source.id))),
  ];
  const modelRows = models.map((model) => {
    const measured = quality.get(model.id);
    return measured === undefined ? model : { ...model, quality: measured };
  });
  const endpoints = placed.map(({ record }) => record);
  return {
    files: {
      'endpoints.jsonl': jsonLines(endpoints.toSorted(by('id'))),
      'models.jsonl': jsonLines(modelRows.toSorted(by('id'))),
      'providers.jsonl': jsonLines(providers.toSorted(by('id'))),
      'facts.jsonl': jsonLines(facts),
    },
    report: {
      endpoints: placed.length,
      models: models.length,
      providersWithOffers: new Set(endpoints.map(({ provider }) => provider)).size,
      excluded,
      unpriced: placed.filter(({ record }) => record.price === undefined).length,
      roundedSubPico: placed.filter(({ record }) =>
        JSON.stringify(record).includes('rounded-sub-pico'),
      ).length,
      unlisted: placed.filter(({ listed }) => !listed).map(({ record }) => record.id),
    },
  };
}

function place(
  sources: Sources,
  identity: ModelIdentity,
  reviews: ReadonlyMap<string, ProviderReview>,
): { placed: PlacedOffer[]; excluded: Record<Exclusion, number> } {
  const { chat, excluded } = chatOffersOf(sources);
  const taken = new Set<string>();
  const placed = chat.map(({ offer, out }): PlacedOffer => {
    const { model, listed } = identity.of(asIdentified(offer));
    const record = endpointRecord(offer, out, model, reviews.get(offer.provider));
    // Upper and lower case make two ids; a file system or a proxy may not see it so.
    const folded = record.id.toLowerCase();
    if (taken.has(folded)) throw invalid('two offers have one endpoint id', record.id);
    taken.add(folded);
    return { offer, record, listed };
  });
  return { placed, excluded };
}

const asIdentified = ({
  provider,
  id,
  baseModel,
}: SourceOffer): Parameters<ModelIdentity['of']>[0] =>
  baseModel === undefined ? { provider, id } : { provider, id, baseModel };

const jsonLines = (rows: readonly object[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const by =
  <K extends string>(key: K) =>
  (a: Readonly<Record<K, string>>, b: Readonly<Record<K, string>>): number =>
    a[key] < b[key] ? -1 : 1;

const invalid = (message: string, id: string): CatalogError =>
  new CatalogError('import-invalid', message, { id });

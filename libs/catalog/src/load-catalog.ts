import { endpointId, sha256 } from '#libs/kernel';
import { canonicalRecords } from './canonical-catalog.js';
import { parseCatalogFiles } from './catalog-format.js';
import type {
  CatalogFileName,
  CatalogRecords,
  EndpointRecord,
  FactRow,
  ModelFactRow,
  ModelRecord,
} from './catalog-format.js';
import { CatalogError } from './errors.js';
import type { Evidence } from './evidence.js';
import { factStatement } from './fact-statement.js';
import { priceBookOf, priceFromJson } from './price-book.js';
import type { Catalog, Endpoint, FactStatement, Model, ModelEvidence, Provider } from './types.js';

const NONE: readonly Endpoint[] = [];

/**
 * Validates a catalog's files and builds its indexes. `read` gives the text of one file: reading is the app's.
 * The version is the digest of the records in canonical form, so it does not depend on white space or line order.
 *
 * Throws CatalogError `catalog-invalid` or `price-book-invalid`: a catalog is whole or it is not loaded.
 */
export function loadCatalog(read: (name: CatalogFileName) => string): Catalog {
  const records = parseCatalogFiles(read);
  const providers = providersOf(records);
  const models = modelsOf(records.models, modelEvidence(records));
  const endpoints = endpointsFrom(records.endpoints, providers, models);
  const byId = new Map<string, Endpoint>();
  const byModel = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    if (byId.has(endpoint.id)) throw invalid('an endpoint is listed twice', endpoint.id);
    byId.set(endpoint.id, endpoint);
    const siblings = byModel.get(endpoint.modelId);
    if (siblings) siblings.push(endpoint);
    else byModel.set(endpoint.modelId, [endpoint]);
  }
  for (const id of models.keys())
    if (!byModel.has(id)) throw invalid('a model has no endpoint', id);
  const names = namesOf(records.models, models);
  return {
    version: sha256(canonicalRecords(records)),
    priceBook: priceBookOf(endpoints),
    endpoints,
    models,
    providers,
    endpointsOf: (modelId) => byModel.get(modelId) ?? NONE,
    endpoint: (id) => byId.get(id),
    resolveModel: (requested) => names.get(requested.toLowerCase()),
  };
}

const isOfModels = (row: FactRow | ModelFactRow): row is ModelFactRow => 'models' in row;

function evidenceOf({
  class: shown,
  sources,
  readOn,
  expiresOn,
  note,
}: FactRow | ModelFactRow): Evidence {
  return { class: shown, sources, readOn, expiresOn, ...(note === undefined ? {} : { note }) };
}

function modelEvidence(records: CatalogRecords): ModelEvidence {
  const evidence: { -readonly [K in keyof ModelEvidence]: ModelEvidence[K] } = {};
  for (const row of records.facts.filter(isOfModels)) {
    if (evidence[row.models] !== undefined) throw invalid('evidence is given twice', row.models);
    evidence[row.models] = evidenceOf(row);
  }
  return evidence;
}

function providersOf(records: CatalogRecords): ReadonlyMap<string, Provider> {
  const stated = statementsOf(records);
  const providers = new Map<string, Provider>();
  for (const { baseUrl, docUrl, stopsBillingOnCancel, ...plain } of records.providers) {
    if (providers.has(plain.id)) throw invalid('a provider is listed twice', plain.id);
    providers.set(plain.id, {
      ...plain,
      ...(baseUrl === undefined ? {} : { baseUrl }),
      ...(docUrl === undefined ? {} : { docUrl }),
      ...(stopsBillingOnCancel === undefined ? {} : { stopsBillingOnCancel }),
      facts: stated.get(plain.id) ?? [],
    });
  }
  for (const id of stated.keys())
    if (!providers.has(id)) throw invalid('a fact names an unknown provider', id);
  return providers;
}

/** Two sources may contradict each other (then nothing is known); one that is listed twice is a fault. */
function statementsOf(records: CatalogRecords): ReadonlyMap<string, readonly FactStatement[]> {
  const seen = new Set<string>();
  const byProvider = new Map<string, FactStatement[]>();
  for (const row of records.facts) {
    if (isOfModels(row)) continue;
    const { provider, model, region, contract, api, fact, value } = row;
    const scope = {
      ...(model === undefined ? {} : { model }),
      ...(region === undefined ? {} : { region }),
      ...(contract === undefined ? {} : { contract }),
      ...(api === undefined ? {} : { api }),
    };
    const key = JSON.stringify([provider, scope, fact, row.sources]);
    if (seen.has(key)) throw invalid('a fact is stated twice by one source', `${provider} ${fact}`);
    seen.add(key);
    const statement = factStatement({ fact, value, scope, evidence: evidenceOf(row) });
    const siblings = byProvider.get(provider);
    if (siblings) siblings.push(statement);
    else byProvider.set(provider, [statement]);
  }
  return byProvider;
}

function modelsOf(
  rows: readonly ModelRecord[],
  evidence: ModelEvidence,
): ReadonlyMap<string, Model> {
  const models = new Map<string, Model>();
  for (const row of rows) {
    if (models.has(row.id)) throw invalid('a model is listed twice', row.id);
    models.set(row.id, {
      id: row.id,
      name: row.name,
      author: row.author,
      ...(row.family === undefined ? {} : { family: row.family }),
      ...(row.openWeights === undefined ? {} : { openWeights: row.openWeights }),
      ...(row.originCountry === undefined ? {} : { originCountry: row.originCountry }),
      evidence,
      ...(row.releasedOn === undefined ? {} : { releasedOn: row.releasedOn }),
      contextTokens: row.context,
      ...(row.quality === undefined ? {} : { quality: row.quality }),
    });
  }
  return models;
}

/** Ordinals follow the id, not the file: a reordered file is the same catalog. */
function endpointsFrom(
  rows: readonly EndpointRecord[],
  providers: ReadonlyMap<string, Provider>,
  models: ReadonlyMap<string, Model>,
): readonly Endpoint[] {
  return rows.toSorted(byIdOf).map((row, ordinal): Endpoint => {
    const provider = providers.get(row.provider);
    if (provider === undefined) throw invalid('an endpoint names an unknown provider', row.id);
    if (!models.has(row.model)) throw invalid('an endpoint names an unknown model', row.id);
    return {
      id: endpointId(row.id),
      ordinal,
      modelId: row.model,
      providerId: row.provider,
      upstreamModel: row.upstream,
      region: row.region,
      contract: row.contract,
      dialect: provider.dialect,
      contextTokens: row.context,
      ...(row.maxInput === undefined ? {} : { maxInputTokens: row.maxInput }),
      maxOutputTokens: row.maxOutput,
      inputModalities: row.in,
      outputModalities: row.out,
      tools: row.tools,
      reasoning: row.reasoning,
      ...(row.structured === undefined ? {} : { structuredOutput: row.structured }),
      ...(row.status === undefined ? {} : { status: row.status }),
      ...(row.price === undefined ? {} : { price: priceFromJson(row.price) }),
    };
  });
}

/** Ids first, then aliases: an alias never hides an id, and one that two models claim is a fault of the files. */
function namesOf(
  rows: readonly ModelRecord[],
  models: ReadonlyMap<string, Model>,
): ReadonlyMap<string, Model> {
  const names = new Map<string, Model>();
  for (const model of models.values()) names.set(model.id.toLowerCase(), model);
  for (const { id, aliases } of rows) {
    for (const alias of aliases ?? []) {
      const key = alias.toLowerCase();
      if (names.has(key)) throw invalid('an alias is taken', alias);
      names.set(key, models.get(id)!);
    }
  }
  return names;
}

const byIdOf = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : a.id > b.id ? 1 : 0;

const invalid = (message: string, id: string): CatalogError =>
  new CatalogError('catalog-invalid', `${message}: ${id}`, { id });

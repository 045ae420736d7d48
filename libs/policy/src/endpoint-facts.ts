import type { Catalog, Endpoint, Model, Provider, ProviderFacts } from '#libs/catalog';

import { asBlocs, overlap, placeOf } from './places.js';

/**
 * What rules may read of one offer. Absent = unknown = the worst case. Model origin, host's seat, place of
 * processing, place of storage, operators' access and ownership are six facts and are never merged.
 */
export interface EndpointFacts {
  readonly endpointId: string;
  readonly providerId: string;
  readonly modelId: string;
  readonly contract: string;
  /** Names by which a request may ask for it or refuse it. */
  readonly slugs: readonly string[];
  readonly hq?: string;
  readonly controlledFrom?: readonly string[];
  readonly originCountry?: string;
  readonly openWeights?: boolean;
  /** Places of inference, members of the EEA as `EEA`. */
  readonly regions?: readonly string[];
  /** Places of inference as the source states them. */
  readonly places?: readonly string[];
  readonly pinned?: boolean;
  readonly storageRegions?: readonly string[];
  readonly operatorAccess?: readonly string[];
  readonly retentionDays?: number;
  readonly zdr?: boolean;
  readonly trains?: boolean;
  readonly baaSigned?: boolean;
  readonly transferTools?: readonly string[];
  readonly certifications?: readonly string[];
  readonly tee?: TeeFact;
}

/** The verdict on an endpoint's evidence while it is live; a stale verdict is no fact. */
export interface TeeFact {
  readonly level: number;
  readonly kinds: readonly string[];
  readonly simulated: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const DAY_MS = 86_400_000;

/**
 * Unix ms from which facts that expire on this ISO date are no longer read: the end of that day, UTC.
 * A date that does not parse gives 0: such facts have always been expired.
 */
export function expiryMs(expiresOn: string): number {
  const startMs = Date.parse(expiresOn);
  return Number.isNaN(startMs) ? 0 : startMs + DAY_MS;
}

/** The catalog's facts about one endpoint as they may be read at `nowMs`. */
export function endpointFacts(endpoint: Endpoint, catalog: Catalog, nowMs: number): EndpointFacts {
  return {
    endpointId: endpoint.id,
    modelId: endpoint.modelId,
    ...modelFacts(catalog.models.get(endpoint.modelId)),
    ...offerFacts(endpoint, catalog.providers.get(endpoint.providerId), nowMs),
  };
}

/** The part that the model alone decides. */
export function modelFacts(
  model: Model | undefined,
): Pick<EndpointFacts, 'originCountry' | 'openWeights'> {
  const facts: Mutable<Pick<EndpointFacts, 'originCountry' | 'openWeights'>> = {};
  if (model?.originCountry !== undefined) facts.originCountry = model.originCountry;
  if (model?.openWeights !== undefined) facts.openWeights = model.openWeights;
  return facts;
}

/** The part that provider, region and contract decide: many endpoints share it. */
export function offerFacts(
  offer: Pick<Endpoint, 'providerId' | 'region' | 'contract'>,
  provider: Provider | undefined,
  nowMs: number,
): Omit<EndpointFacts, 'endpointId' | 'modelId' | 'originCountry' | 'openWeights'> {
  const { providerId, region, contract } = offer;
  const base = {
    providerId,
    contract,
    slugs: region === 'global' ? [providerId] : [providerId, `${providerId}/${region}`],
  };
  const stated = provider?.facts;
  if (stated === undefined || nowMs >= expiryMs(stated.expiresOn)) return base;
  const owned = { ...base, ...ownershipFacts(stated) };
  // Practice was read for the default contract; what another contract says, nobody has read.
  if (contract !== 'default') return owned;
  return { ...owned, ...practiceFacts(stated), ...processing(region, stated, provider?.regions) };
}

function ownershipFacts(stated: ProviderFacts): Pick<EndpointFacts, 'hq' | 'controlledFrom'> {
  const facts: Mutable<Pick<EndpointFacts, 'hq' | 'controlledFrom'>> = {};
  if (stated.hqCountry !== null) facts.hq = stated.hqCountry;
  if (stated.controlledFrom !== null) facts.controlledFrom = stated.controlledFrom;
  return facts;
}

function practiceFacts(stated: ProviderFacts): Partial<EndpointFacts> {
  const facts: Partial<Mutable<EndpointFacts>> = {};
  if (stated.operatorAccess !== null) facts.operatorAccess = stated.operatorAccess;
  if (stated.retentionDays !== null) facts.retentionDays = stated.retentionDays;
  if (stated.certifications !== null) facts.certifications = stated.certifications;
  // On offer (`self-serve`, `approval`) is not in force.
  if (stated.zdr !== null) facts.zdr = stated.zdr === 'default';
  // Whether an account is on the free tier is not known here, so `free-tier-only` stays unknown;
  // `opt-out` trains until somebody opts out.
  if (stated.trainsOnApiData !== null && stated.trainsOnApiData !== 'free-tier-only') {
    facts.trains = stated.trainsOnApiData !== false;
  }
  return facts;
}

/**
 * What the provider documents for the region stands over what it says in general. A region in the endpoint's
 * id that contradicts the stated places leaves nothing known of the place.
 */
function processing(
  region: string,
  stated: ProviderFacts,
  regions: Provider['regions'] = {},
): Pick<EndpointFacts, 'regions' | 'places' | 'pinned'> {
  const documented = Object.hasOwn(regions, region) ? regions[region] : undefined;
  const { processingRegions: places, pinned } = documented ?? stated;
  const named = placeOf(region);
  if (places === null || (named !== undefined && !places.some((p) => overlap(p, named)))) return {};
  const where = { regions: asBlocs(places), places: places.toSorted() };
  return pinned === null ? where : { ...where, pinned };
}

import type { Catalog, Endpoint, Model, Provider, ProviderFacts } from '#libs/catalog';

import { currentFacts, evidenceLevels, isStale } from './facts-evidence.js';
import type { FactEvidence } from './facts-evidence.js';
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
  /** What the signed contract holds: `dpa`, `locations`, … */
  readonly contractTerms?: readonly string[];
  readonly subProcessors?: readonly string[];
  readonly transferTools?: readonly string[];
  readonly certifications?: readonly string[];
  readonly exportControl?: readonly string[];
  /** Level by group of facts, 1 asserted … 4 attested; a group that is absent is at 0. */
  readonly evidence?: FactEvidence;
  readonly tee?: TeeFact;
}

/** The verdict on an endpoint's evidence while it is live; a stale verdict is no fact. */
export interface TeeFact {
  readonly level: number;
  readonly kinds: readonly string[];
  readonly simulated: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

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
  const stated = currentFacts(provider?.facts, nowMs);
  if (stated === undefined) return base;
  const known = {
    ...ownershipFacts(stated),
    // Practice was read for the default contract; what another contract says, nobody has read.
    ...(contract === 'default' && {
      ...practiceFacts(stated),
      ...contractFacts(stated),
      ...(!isStale(stated, 'place', nowMs) && processing(region, stated, provider?.regions)),
    }),
  };
  return { ...base, ...known, evidence: evidenceLevels(known, stated.evidence) };
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

/** What only a party to the contract can know; a catalog of one's own states it. */
function contractFacts(stated: ProviderFacts): Partial<EndpointFacts> {
  const { storageRegions, subProcessors, transferTools, contractTerms, exportControl } = stated;
  const { baaSigned } = stated;
  return {
    ...(storageRegions && { storageRegions }),
    ...(subProcessors && { subProcessors }),
    ...(transferTools && { transferTools }),
    ...(contractTerms && { contractTerms }),
    ...(exportControl && { exportControl }),
    ...(typeof baaSigned === 'boolean' && { baaSigned }),
  };
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

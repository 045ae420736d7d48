import { evidenceLevel, expiryMs, settleFacts } from '#libs/catalog';
import type {
  Catalog,
  Endpoint,
  Evidence,
  Model,
  Offer,
  Provider,
  SettledFacts,
} from '#libs/catalog';

import { evidenceLevels } from './facts-evidence.js';
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
  /** Confidential computing as a document promises it; never a live attestation. */
  readonly confidentialComputing?: { readonly level: number; readonly evidence: number };
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
    ...modelFacts(catalog.models.get(endpoint.modelId), nowMs),
    ...offerFacts(endpoint, catalog.providers.get(endpoint.providerId), nowMs),
  };
}

/** The part that the model alone decides. A fact of a model that rests on nothing, or on what expired, is unknown. */
export function modelFacts(
  model: Model | undefined,
  nowMs: number,
): Pick<EndpointFacts, 'originCountry' | 'openWeights'> {
  if (model === undefined) return {};
  const { originCountry, openWeights, evidence } = model;
  const isLive = (e: Evidence | undefined): boolean =>
    e !== undefined && nowMs < expiryMs(e.expiresOn);
  return {
    ...(originCountry !== undefined && isLive(evidence?.originCountry) && { originCountry }),
    ...(openWeights !== undefined && isLive(evidence?.openWeights) && { openWeights }),
  };
}

/** The part that provider, model, region, API and contract decide: many endpoints share it. */
export function offerFacts(
  offer: Offer & Pick<Endpoint, 'providerId'>,
  provider: Provider | undefined,
  nowMs: number,
): Omit<EndpointFacts, 'endpointId' | 'modelId' | 'originCountry' | 'openWeights'> {
  const { providerId, region, contract } = offer;
  const base = {
    providerId,
    contract,
    slugs: region === 'global' ? [providerId] : [providerId, `${providerId}/${region}`],
  };
  const settled = settleFacts(provider?.facts ?? [], offer, nowMs);
  const known = { ...practiceFacts(settled), ...processing(region, settled) };
  const evidence = evidenceLevels(known, settled);
  return { ...base, ...known, ...(Object.keys(evidence).length > 0 && { evidence }) };
}

function practiceFacts(settled: SettledFacts): Partial<EndpointFacts> {
  const facts: Partial<Mutable<EndpointFacts>> = {};
  const { zdr, trainsOnApiData: trains } = settled;
  if (settled.hqCountry) facts.hq = settled.hqCountry.value;
  if (settled.controlledFrom) facts.controlledFrom = settled.controlledFrom.value;
  if (settled.operatorAccess) facts.operatorAccess = settled.operatorAccess.value;
  if (settled.storageRegions) facts.storageRegions = settled.storageRegions.value;
  if (settled.retentionDays) facts.retentionDays = settled.retentionDays.value;
  if (settled.certifications) facts.certifications = settled.certifications.value;
  if (settled.subProcessors) facts.subProcessors = settled.subProcessors.value;
  if (settled.transferTools) facts.transferTools = settled.transferTools.value;
  if (settled.contractTerms) facts.contractTerms = settled.contractTerms.value;
  if (settled.exportControl) facts.exportControl = settled.exportControl.value;
  if (settled.baaSigned) facts.baaSigned = settled.baaSigned.value;
  const promised = settled.confidentialLevel;
  if (promised)
    facts.confidentialComputing = {
      level: promised.value,
      evidence: evidenceLevel(promised.class),
    };
  // On offer (`self-serve`, `approval`) is not in force.
  if (zdr) facts.zdr = zdr.value === 'default' || zdr.value === 'contracted';
  // Whether an account is on the free tier is not known here, so `free-tier-only` stays unknown;
  // `opt-out` trains until somebody opts out.
  if (trains && trains.value !== 'free-tier-only') facts.trains = trains.value !== false;
  return facts;
}

/** A region in the endpoint's id that contradicts the stated places leaves nothing known of the place. */
function processing(
  region: string,
  { processingRegions, pinned }: SettledFacts,
): Pick<EndpointFacts, 'regions' | 'places' | 'pinned'> {
  const places = processingRegions?.value;
  const named = placeOf(region);
  if (places === undefined) return {};
  if (named !== undefined && !places.some((p) => overlap(p, named))) return {};
  const where = { regions: asBlocs(places), places: places.toSorted() };
  return pinned === undefined ? where : { ...where, pinned: pinned.value };
}

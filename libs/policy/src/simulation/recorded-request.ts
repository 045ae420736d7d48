// A request of the past as far as a rule could tell it from another: who asked, what was said of the data,
// which models it could have gone to. No content: none was recorded, and none is needed to decide again.
import type { DataClass, PrincipalProfile, RequestFacts, RequestWants } from '../types.js';
import { DATA_CLASSES } from '../types.js';

/** What ranges over the whole catalog (`custos/auto`). */
export const ALL_MODELS = '*';
const AUTO = 'custos/auto';
/** What a generation says of the facts' version where its organisation has stated none. */
const NO_FACTS = 'none';

export interface RecordedRequest {
  readonly generationId: string;
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
  /** Model id, or `*` where the model was left to the gateway. */
  readonly scope: string;
  readonly outcome: 'permit' | 'forbid';
  /** Of the bundle that decided it then. */
  readonly policyVersion: string;
  /** Of the catalog that it was decided over; absent = the record does not say. */
  readonly catalogVersion?: string;
  /** Of the asking organisation's own facts that it was decided on; absent = it had stated none. */
  readonly factsVersion?: string;
  /** As recorded; read only by whoever plans again. */
  readonly plan?: RecordedPlan;
}

/** The part of a recorded plan that simulation itself reads. */
export interface RecordedPlan {
  readonly candidates: readonly {
    readonly endpoint: string;
    readonly expectedCostPicoUsd?: string;
    readonly quality?: number;
  }[];
}

/** The members of an `opened` or `refused` record that are read here. */
export interface RecordedGeneration {
  readonly generationId: string;
  readonly organisationId: string;
  readonly workspaceId: string;
  readonly keyId: string;
  readonly model: string;
  readonly facts: RecordedFacts;
  readonly versions: {
    readonly policy: string;
    readonly catalog?: string;
    readonly facts?: string;
  };
  readonly decision?: { readonly digest: string; readonly decision: 'permit' | 'forbid' };
  readonly plan?: RecordedPlan & { readonly acrossModels: boolean };
}

export interface RecordedFacts {
  readonly dataClass: string;
  readonly dataTags: readonly string[];
  readonly subjectRegions: readonly string[];
  readonly purpose: string;
  readonly want: Readonly<Record<string, boolean | readonly string[]>>;
}

/** What policies may read of whoever asked, beside the ids. */
export type ProfileAttributes = Pick<PrincipalProfile, 'sector' | 'jurisdiction' | 'environment'>;

/**
 * Undefined where nothing was decided (an unknown model), so there is nothing to decide again.
 * `scope`: of the recorded decision, where it is at hand; else derived from the plan.
 */
export function recordedRequest(
  generation: RecordedGeneration,
  attributes: ProfileAttributes,
  scope?: string,
): RecordedRequest | undefined {
  const { decision, plan } = generation;
  const facts = requestFacts(generation.facts);
  if (decision === undefined || facts === undefined) return undefined;
  const { facts: own, catalog } = generation.versions;
  const across = plan?.acrossModels ?? generation.model === AUTO;
  return {
    generationId: generation.generationId,
    profile: {
      organisationId: generation.organisationId,
      workspaceId: generation.workspaceId,
      keyId: generation.keyId,
      sector: attributes.sector,
      jurisdiction: attributes.jurisdiction,
      environment: attributes.environment,
    },
    facts,
    scope: across || scope === AUTO ? ALL_MODELS : (scope ?? generation.model),
    outcome: decision.decision,
    policyVersion: generation.versions.policy,
    ...(catalog !== undefined && { catalogVersion: catalog }),
    ...(own !== undefined && own !== NO_FACTS && { factsVersion: own }),
    ...(plan && { plan }),
  };
}

/** Undefined where the record is of a class that this version does not know. */
export function requestFacts(recorded: RecordedFacts): RequestFacts | undefined {
  if (!isDataClass(recorded.dataClass)) return undefined;
  const { want } = recorded;
  const wants: RequestWants = {
    zdr: want['zdr'] === true,
    denyDataCollection: want['denyDataCollection'] === true,
    confidential: want['confidential'] === true,
    ...list('only', want['only']),
    ...list('ignore', want['ignore']),
    ...list('regions', want['regions']),
  };
  return {
    dataClass: recorded.dataClass,
    dataTags: recorded.dataTags,
    subjectRegions: recorded.subjectRegions,
    purpose: recorded.purpose,
    want: wants,
  };
}

const isDataClass = (v: string): v is DataClass => (DATA_CLASSES as readonly string[]).includes(v);

const list = (
  name: 'only' | 'ignore' | 'regions',
  value: boolean | readonly string[] | undefined,
): Partial<RequestWants> => (typeof value === 'object' ? { [name]: value } : {});

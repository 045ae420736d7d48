import type {
  DecisionRecorded,
  EndpointSetData,
  FactsData,
  PolicyReasonData,
} from '#libs/audit-events';
import type { Endpoint, OrganisationFacts } from '#libs/catalog';
import { canonicalJson, sha256, type Json } from '#libs/kernel';
import {
  factsAsRead,
  profileKey,
  type BreakGlass,
  type Decision,
  type PolicyBundle,
  type PrincipalProfile,
  type RequestFacts,
} from '#libs/policy';

/** A decision over more endpoints names its larger sets by bitset: 5,276 ordinals fit in 660 bytes … */
const LISTED_MAX = 100;
/** … and larger means that the ids would take more than that: an event has a ceiling, a bundle any number of sets. */
const LISTED_OF_MANY_MAX = 16;
const REASONS_MAX = 24; // an event stays under its ceiling whatever the bundle says; the digest names them all

/** A decision with everything derived from it once: its digest, its record, its reasons. */
export interface Verdict {
  readonly decision: Decision;
  readonly bundle: PolicyBundle;
  readonly digest: string;
  readonly record: DecisionRecorded;
  /** Policies that permitted; on a refusal those that objected. */
  readonly reasons: readonly PolicyReasonData[];
  readonly excludedCount: number;
  /** Version of the organisation's own facts, `none` where it has stated none. */
  readonly factsVersion: string;
  /** Unix ms; absent = holds while the versions do. */
  readonly validUntilMs?: number;
}

function endpointSet(endpoints: readonly Endpoint[], listedMax: number): EndpointSetData {
  if (endpoints.length <= listedMax) return { ids: endpoints.map((e) => e.id) };
  const last = endpoints.reduce((most, e) => Math.max(most, e.ordinal), 0);
  const bits = Buffer.alloc((last >> 3) + 1);
  for (const e of endpoints) bits[e.ordinal >> 3]! |= 1 << (e.ordinal & 7);
  return { count: endpoints.length, ordinalsBase64: bits.toString('base64') };
}

export function factsData(facts: RequestFacts): FactsData {
  return {
    dataClass: facts.dataClass,
    dataTags: facts.dataTags,
    subjectRegions: facts.subjectRegions,
    purpose: facts.purpose,
    want: { ...facts.want },
  };
}

export function verdictOf(
  decision: Decision,
  bundle: PolicyBundle,
  {
    profile,
    facts,
    breakGlass,
    organisationFacts,
  }: {
    readonly profile: PrincipalProfile;
    readonly facts: RequestFacts;
    readonly breakGlass?: BreakGlass | undefined;
    readonly organisationFacts?: OrganisationFacts | undefined;
  },
  scope: string,
): Verdict {
  const excludedCount = decision.excluded.reduce((n, g) => n + g.endpoints.length, 0);
  const listedMax =
    decision.permitted.length + excludedCount <= LISTED_MAX ? LISTED_MAX : LISTED_OF_MANY_MAX;
  const body = {
    policyVersion: decision.policyVersion,
    catalogVersion: decision.catalogVersion,
    // As far as policies read it: keys that share a profile share the verdict, so no key is named here.
    profile: {
      key: profileKey(profile, bundle),
      sector: profile.sector,
      jurisdiction: profile.jurisdiction,
      environment: profile.environment,
    },
    // Likewise: a purpose that no policy reads is the first asker's own business, and no part of what was decided.
    facts: factsData(factsAsRead(facts, bundle)),
    scope,
    permittedBy: decision.permittedBy,
    permitted: endpointSet(decision.permitted, listedMax),
    excluded: decision.excluded.map((g) => ({
      code: g.code,
      policies: g.policyIds,
      endpoints: endpointSet(g.endpoints, listedMax),
    })),
    // Absent where the organisation has stated nothing, so that all who have not share the record.
    ...(organisationFacts && { factsVersion: organisationFacts.version }),
    // Each use of an exception is on record: those in force for who asked.
    ...(breakGlass === undefined ? {} : { exceptions: breakGlass.exceptions }),
  };
  const digest = sha256(canonicalJson(body as unknown as Json));
  const ids =
    decision.permitted.length > 0
      ? decision.permittedBy
      : [...new Set(decision.excluded.flatMap((g) => g.policyIds))].sort();
  return {
    decision,
    bundle,
    digest,
    record: { digest, ...body },
    reasons: ids.slice(0, REASONS_MAX).map((id) => {
      const c = bundle.citations[id];
      return { id, reason: c?.reason ?? '', law: c?.law ?? '', layer: c?.layer ?? '' };
    }),
    excludedCount,
    factsVersion: organisationFacts?.version ?? 'none',
    ...(decision.validUntilMs === undefined ? {} : { validUntilMs: decision.validUntilMs }),
  };
}

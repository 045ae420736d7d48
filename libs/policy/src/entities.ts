import { NAMESPACE } from './cedar.js';
import type { CedarValueJson, EntityJson, TypeAndId } from './cedar.js';
import type { EndpointFacts } from './endpoint-facts.js';
import type { BreakGlass } from './exceptions.js';
import { FACT_GROUPS } from './facts-evidence.js';
import { admitted, comparable, countries, jurisdictionOf, subjectPlaces } from './places.js';
import type { PrincipalProfile, RequestFacts } from './types.js';

export const entityUid = (type: string, id: string): TypeAndId => ({
  type: `${NAMESPACE}::${type}`,
  id,
});

export const keyUid = (profile: PrincipalProfile): TypeAndId => entityUid('Key', profile.keyId);
export const endpointUid = (facts: EndpointFacts): TypeAndId =>
  entityUid('Endpoint', facts.endpointId);

/** Names are what callers and catalogs spell in lower case. */
const lower = (names: readonly string[]): string[] => names.map((n) => n.toLowerCase());

/** Certificates as rules name them: `FedRAMP High` → `fedramp-high`. */
const hyphenated = (names: readonly string[]): string[] =>
  lower(names).map((n) => n.trim().replaceAll(/\s+/g, '-'));

/** The request as rules see it. Nothing of the prompt itself. */
export function contextOf(
  facts: RequestFacts,
  nowMs: number,
  breakGlass?: BreakGlass,
): Record<string, CedarValueJson> {
  const { want } = facts;
  return {
    dataClass: facts.dataClass,
    tags: [...facts.dataTags],
    subjects: subjectPlaces(facts.subjectRegions),
    purpose: facts.purpose,
    now: datetime(nowMs),
    want: {
      zdr: want.zdr,
      denyDataCollection: want.denyDataCollection,
      confidential: want.confidential,
      ...(want.only && { only: lower(want.only) }),
      ...(want.ignore && { ignore: lower(want.ignore) }),
      ...(want.regions && { regions: admitted(want.regions) }),
    },
    ...(breakGlass && {
      breakGlass: {
        policies: [...breakGlass.policies],
        approver: breakGlass.approver,
        ticket: breakGlass.ticket,
        expires: datetime(breakGlass.expiresMs),
      },
    }),
  };
}

const datetime = (unixMs: number): CedarValueJson => ({
  __extn: { fn: 'datetime', arg: new Date(unixMs).toISOString() },
});

export function principalEntities(profile: PrincipalProfile): EntityJson[] {
  const organisation = entityUid('Organisation', profile.organisationId);
  const workspace = entityUid('Workspace', profile.workspaceId);
  const { sector, environment } = profile;
  const jurisdiction = jurisdictionOf(profile.jurisdiction);
  return [
    {
      uid: keyUid(profile),
      attrs: { workspace: { __entity: workspace }, organisation: { __entity: organisation } },
      parents: [workspace],
    },
    { uid: workspace, attrs: { environment }, parents: [organisation] },
    { uid: organisation, attrs: { sector, jurisdiction }, parents: [] },
  ];
}

/** Endpoint, provider and model: the three entities one decision needs, and no more. */
export function endpointEntities(facts: EndpointFacts): EntityJson[] {
  const provider = entityUid('Provider', facts.providerId);
  const model = entityUid('Model', facts.modelId);
  const { tee, confidentialComputing } = facts;
  return [
    {
      uid: endpointUid(facts),
      attrs: {
        provider: { __entity: provider },
        model: { __entity: model },
        contract: facts.contract,
        slugs: lower(facts.slugs),
        ...known('regions', facts.regions && comparable(facts.regions)),
        ...known('places', facts.places),
        ...known('pinned', facts.pinned),
        ...known('storageRegions', facts.storageRegions && comparable(facts.storageRegions)),
        ...known('operatorAccess', facts.operatorAccess && comparable(facts.operatorAccess)),
        ...known('retentionDays', facts.retentionDays),
        ...known('zdr', facts.zdr),
        ...known('trains', facts.trains),
        ...known('baaSigned', facts.baaSigned),
        ...known('contractTerms', facts.contractTerms && lower(facts.contractTerms)),
        ...known('subProcessors', facts.subProcessors && lower(facts.subProcessors)),
        ...known('transferTools', facts.transferTools && lower(facts.transferTools)),
        ...known('certifications', facts.certifications && hyphenated(facts.certifications)),
        ...known('exportControl', facts.exportControl && lower(facts.exportControl)),
        evidence: Object.fromEntries(FACT_GROUPS.map((g) => [g, facts.evidence?.[g] ?? 0])),
        ...(tee && { tee: { ...tee, kinds: [...tee.kinds] } }),
        ...(confidentialComputing && { confidentialComputing: { ...confidentialComputing } }),
      },
      parents: [provider],
    },
    {
      uid: provider,
      attrs: {
        ...known('hq', facts.hq?.toUpperCase()),
        ...known('controlledFrom', facts.controlledFrom && countries(facts.controlledFrom)),
      },
      parents: [],
    },
    {
      uid: model,
      attrs: {
        ...known('originCountry', facts.originCountry?.toUpperCase()),
        ...known('openWeights', facts.openWeights),
      },
      parents: [],
    },
  ];
}

function known(
  name: string,
  value: string | number | boolean | readonly string[] | undefined,
): Record<string, CedarValueJson> {
  if (value === undefined) return {};
  return { [name]: typeof value === 'object' ? [...value] : value };
}

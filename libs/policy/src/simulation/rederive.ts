import type { Endpoint, OrganisationFacts } from '#libs/catalog';
import { canonicalJson, sha256, type Json } from '#libs/kernel';

import type { Decider } from '../decider.js';
import { breakGlassOf, type PolicyException } from '../exceptions.js';
import type { Decision, PrincipalProfile } from '../types.js';
import { ALL_MODELS, requestFacts, type RecordedFacts } from './recorded-request.js';

/** `custos.decision.recorded.v1` as far as it is read here. */
export interface RecordedDecision {
  readonly digest: string;
  readonly policyVersion: string;
  readonly catalogVersion: string;
  readonly profile: Readonly<Record<string, string>>;
  readonly facts: RecordedFacts;
  readonly scope: string;
  /** Of the organisation's own facts that it was decided on; absent = none. */
  readonly factsVersion?: string;
  /** Ids of the exceptions that were in force for who asked; absent = none. */
  readonly exceptions?: readonly string[];
  readonly permittedBy: readonly string[];
  readonly permitted: RecordedEndpoints;
  readonly excluded: readonly {
    readonly code: string;
    readonly policies: readonly string[];
    readonly endpoints: RecordedEndpoints;
  }[];
}
export type RecordedEndpoints =
  { readonly ids: readonly string[] } | { readonly count: number; readonly ordinalsBase64: string };

export type Rederived =
  | { readonly outcome: 'equal'; readonly decision: Decision }
  | { readonly outcome: 'different'; readonly differences: readonly string[] }
  | { readonly outcome: 'not-replayable'; readonly why: string };

/**
 * Decides a recorded verdict again, under the bundle and catalog that it names, and compares everything: who is
 * permitted, by what; who is excluded, by which policies. `nowMs`: when it was decided, for rules that read the
 * time and facts that expire. `exceptions` and `organisationFacts`: those that the record names.
 */
export function rederive(
  recorded: RecordedDecision,
  decider: Decider,
  nowMs: number,
  exceptions: readonly PolicyException[] = [],
  organisationFacts?: OrganisationFacts,
): Rederived {
  const { digest, ...body } = recorded;
  if (sha256(canonicalJson(body as unknown as Json)) !== digest)
    return { outcome: 'different', differences: ['the record is not what its digest says'] };
  if (recorded.policyVersion !== decider.bundle.version)
    return { outcome: 'not-replayable', why: `bundle ${recorded.policyVersion} is not at hand` };
  if (recorded.catalogVersion !== decider.catalog.version)
    return { outcome: 'not-replayable', why: `catalog ${recorded.catalogVersion} is not at hand` };
  const profile = profileOfRecord(recorded.profile);
  const facts = requestFacts(recorded.facts);
  if (profile === undefined || facts === undefined)
    return { outcome: 'not-replayable', why: 'the record says too little of who asked what' };
  const own = recorded.factsVersion === undefined ? undefined : organisationFacts;
  if (own?.version !== recorded.factsVersion)
    return {
      outcome: 'not-replayable',
      why: 'the organisation’s own facts of then are not at hand',
    };
  const named = exceptions.filter((e) => recorded.exceptions?.includes(e.id));
  if (named.length < (recorded.exceptions?.length ?? 0))
    return { outcome: 'not-replayable', why: 'an exception that it names is not at hand' };
  const { catalog } = decider;
  const { scope } = recorded;
  const endpoints =
    scope === ALL_MODELS || scope === 'custos/auto'
      ? catalog.endpoints
      : catalog.endpointsOf(scope);
  const breakGlass = breakGlassOf(named, decider.bundle);
  const decision = decider.decide({
    profile,
    facts,
    endpoints,
    nowMs,
    breakGlass,
    organisationFacts: own,
  });
  const differences = compare(recorded, decision, catalog.endpoints);
  return differences.length === 0
    ? { outcome: 'equal', decision }
    : { outcome: 'different', differences };
}

/** Ids that no policy of that bundle reads were left out of the record, and cannot change the answer. */
function profileOfRecord(recorded: Readonly<Record<string, string>>): PrincipalProfile | undefined {
  const { key, sector, jurisdiction, environment } = recorded;
  if (key === undefined || sector === undefined || jurisdiction === undefined) return undefined;
  let ids: unknown;
  try {
    ids = JSON.parse(key);
  } catch {
    return undefined;
  }
  if (!Array.isArray(ids)) return undefined;
  const [organisationId, workspaceId, keyId] = ids as unknown[];
  if (typeof organisationId !== 'string') return undefined;
  if (typeof workspaceId !== 'string' || typeof keyId !== 'string') return undefined;
  return {
    organisationId,
    workspaceId,
    keyId,
    sector,
    jurisdiction,
    environment: environment ?? '',
  };
}

/** Differences named, at most: the first ones are enough to begin the search with. */
const DIFFERENCES_MAX = 8;

function compare(
  recorded: RecordedDecision,
  decision: Decision,
  all: readonly Endpoint[],
): readonly string[] {
  const was = verdicts(recorded, all);
  const is = new Map<string, string>();
  for (const e of decision.permitted) is.set(e.id, 'permitted');
  for (const { code, policyIds, endpoints } of decision.excluded)
    for (const e of endpoints) is.set(e.id, excludedAs(code, policyIds));
  const differences: string[] = [];
  const note = (text: string): void => {
    if (differences.length < DIFFERENCES_MAX) differences.push(text);
  };
  for (const [id, verdict] of was)
    if (is.get(id) !== verdict)
      note(`${id}: recorded ${verdict}, now ${is.get(id) ?? 'not asked'}`);
  for (const id of is.keys()) if (!was.has(id)) note(`${id}: not in the record`);
  const by = (ids: readonly string[]): string => ids.toSorted().join(', ') || 'none';
  if (by(recorded.permittedBy) !== by(decision.permittedBy))
    note(`permitted by ${by(decision.permittedBy)}, recorded ${by(recorded.permittedBy)}`);
  return differences;
}

const excludedAs = (code: string, policies: readonly string[]): string =>
  `${code} (${policies.toSorted().join(', ')})`;

function verdicts(
  recorded: RecordedDecision,
  all: readonly Endpoint[],
): ReadonlyMap<string, string> {
  const of = new Map<string, string>();
  for (const id of idsOf(recorded.permitted, all)) of.set(id, 'permitted');
  for (const { code, policies, endpoints } of recorded.excluded)
    for (const id of idsOf(endpoints, all)) of.set(id, excludedAs(code, policies));
  return of;
}

/** Bit n of byte n / 8, lowest first, is the endpoint of ordinal n. */
function* idsOf(set: RecordedEndpoints, all: readonly Endpoint[]): Generator<string> {
  if ('ids' in set) {
    yield* set.ids;
    return;
  }
  const bits = Buffer.from(set.ordinalsBase64, 'base64');
  for (let ordinal = 0; ordinal < bits.length * 8; ordinal += 1)
    if ((bits[ordinal >> 3]! >> (ordinal & 7)) & 1)
      yield all[ordinal]?.id ?? `ordinal ${ordinal}, which this catalog does not have`;
}

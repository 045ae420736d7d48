// Canonical strings under which decisions are shared. Two requests with equal keys get the same decision
// from the same versions; what no policy reads is left out.
import { analysisOf } from './analysis.js';
import { isToldApart } from './reads.js';
import type { PolicyBundle, PrincipalProfile, RequestFacts } from './types.js';

/**
 * Who asks, as far as this bundle can tell. A thousand keys of one workspace share one key, and so do all
 * organisations of like attributes that no policy names.
 */
export function profileKey(profile: PrincipalProfile, bundle: PolicyBundle): string {
  const { reads } = analysisOf(bundle);
  const { attributes, everything } = reads;
  const id = (type: 'Organisation' | 'Workspace' | 'Key', value: string): string =>
    isToldApart(reads, type, value) ? value : '';
  const attribute = (name: string, value: string): string =>
    everything || attributes.has(name) ? value : '';
  return JSON.stringify([
    id('Organisation', profile.organisationId),
    id('Workspace', profile.workspaceId),
    id('Key', profile.keyId),
    attribute('sector', profile.sector),
    attribute('jurisdiction', profile.jurisdiction),
    attribute('environment', profile.environment),
  ]);
}

/** What is asked. With the bundle given, a purpose that none of its policies reads is left out. */
export function factsKey(facts: RequestFacts, bundle?: PolicyBundle): string {
  const { want } = facts;
  const flags =
    (want.zdr ? 4 : 0) + (want.denyDataCollection ? 2 : 0) + (want.confidential ? 1 : 0);
  const purpose = bundle === undefined || readsPurpose(bundle) ? facts.purpose : '';
  let key = `${facts.dataClass}.${flags}`;
  if (purpose !== '') key += `p${counted(purpose)}`;
  if (facts.dataTags.length > 0) key += `t${list(facts.dataTags)}`;
  if (facts.subjectRegions.length > 0) key += `s${list(facts.subjectRegions)}`;
  // An empty `only` admits nothing, an absent one everything: here empty is not left out.
  if (want.only) key += `o${list(want.only.toSorted())}`;
  if (want.ignore) key += `i${list(want.ignore.toSorted())}`;
  if (want.regions) key += `r${list(want.regions.toSorted())}`;
  return key;
}

function readsPurpose(bundle: PolicyBundle): boolean {
  const { attributes, everything } = analysisOf(bundle).reads;
  return everything || attributes.has('purpose');
}

/** With its length before it, no text can be taken for a separator. */
const counted = (text: string): string => `${text.length}:${text}`;

function list(texts: readonly string[]): string {
  let joined = `${texts.length};`;
  for (const text of texts) joined += counted(text);
  return joined;
}

// Canonical strings under which decisions are shared. Two requests with equal keys get the same decision
// from the same versions; what no policy reads is left out.
import { analysisOf } from './analysis.js';
import { isToldApart } from './reads.js';
import type { ToldWords } from './told-words.js';
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

/**
 * What is asked. With the bundle given, purposes and tags that none of its policies can tell from others are left out:
 * whoever sends the request chooses them freely, and must not be able to fill a cache by that.
 */
export function factsKey(asked: RequestFacts, bundle?: PolicyBundle): string {
  const facts = bundle === undefined ? asked : factsAsRead(asked, bundle);
  const { want, purpose } = facts;
  const flags =
    (want.zdr ? 4 : 0) + (want.denyDataCollection ? 2 : 0) + (want.confidential ? 1 : 0);
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

/** The same for all requests of one `factsKey`: what stands in the record of a verdict that they share. */
export function factsAsRead(facts: RequestFacts, bundle: PolicyBundle): RequestFacts {
  const { purpose, tags } = analysisOf(bundle).words;
  const isTold = (told: ToldWords, word: string): boolean => told === 'all' || told.has(word);
  return {
    ...facts,
    purpose: isTold(purpose, facts.purpose) ? facts.purpose : '',
    dataTags: facts.dataTags.filter((tag) => isTold(tags, tag)),
  };
}

/** With its length before it, no text can be taken for a separator. */
const counted = (text: string): string => `${text.length}:${text}`;

function list(texts: readonly string[]): string {
  let joined = `${texts.length};`;
  for (const text of texts) joined += counted(text);
  return joined;
}

import { BEDROCK_REGION, normaliseName } from './normalise-name.js';
import {
  ACCEPTED_BASES,
  FIRST_HAND,
  KEPT_APART,
  MEANT_BY_PROVIDER,
  SAME_WEIGHTS,
} from './identity-review.js';

/** Why a name stands for a model. */
export type JoinBasis = 'source-base-model' | 'same-name-reviewed' | 'same-weights-reviewed';

/** One model of the table and every name that stands for it. */
export interface IdentityRow {
  readonly model: string;
  /** A name is a provider's spelling in lower case, or `provider=spelling` where only that provider means it so. */
  readonly joins: readonly { readonly basis: JoinBasis; readonly names: readonly string[] }[];
}

/** An offer that its base or its name would join with others and the review did not. */
export interface ApartRow {
  readonly provider: string;
  readonly upstream: string;
  /** The source's base model that is refused; absent where the name itself must not join. */
  readonly base?: string;
  readonly reason: string;
}

export interface ProposalOffer {
  readonly provider: string;
  readonly id: string;
  readonly baseModel?: string;
}

/**
 * Words that may follow in a spelling without making it another model than its base: how a host prefixes its names.
 * Any other word beyond the base's own (fp8, free, thinking, fast, 2507, …) keeps the offer apart.
 */
const NEUTRAL = new Set(['databricks', 'tee', 'default', 'v1', 'us', 'eu', 'jp', 'au', 'global']);

export const spellingOf = (provider: string, upstreamModel: string): string => {
  const lower = upstreamModel.toLowerCase();
  return provider === 'amazon-bedrock' ? lower.replace(BEDROCK_REGION, '') : lower;
};

/**
 * Proposes the identity table for these offers. The result is a draft for review: the importer joins by the committed
 * table alone, and reports what a fresh proposal would join beyond it.
 */
export function proposeIdentity(
  offers: readonly ProposalOffer[],
  authorOf: (spelling: string) => string | undefined,
): { readonly rows: readonly IdentityRow[]; readonly apart: readonly ApartRow[] } {
  const groups = new Map<string, Group>();
  const apart: ApartRow[] = [];
  for (const offer of offers) {
    const spelling = spellingOf(offer.provider, offer.id);
    const name = normaliseName(offer.provider, offer.id, authorOf);
    const own = name.author === undefined ? undefined : `${name.author}/${name.key}`;
    const scoped = `${offer.provider}=${spelling}`;
    const keptApart = KEPT_APART.get(scoped);
    if (keptApart !== undefined) {
      apart.push({ provider: offer.provider, upstream: offer.id, reason: keptApart });
      continue;
    }
    const meant = MEANT_BY_PROVIDER.get(scoped);
    if (meant !== undefined) {
      groupOf(groups, meant).weights.add(scoped);
      continue;
    }
    const settled = own === undefined ? undefined : (SAME_WEIGHTS.get(own) ?? own);
    if (offer.baseModel !== undefined) {
      const base = baseKey(offer.baseModel, authorOf);
      const words = differingWords(settled ?? name.key, base);
      if (words.length === 0 || ACCEPTED_BASES.has(scoped)) {
        groupOf(groups, base).bases.add(offer.baseModel);
        continue;
      }
      apart.push({
        provider: offer.provider,
        upstream: offer.id,
        base: offer.baseModel,
        reason: `name differs: ${words.join(', ')}`,
      });
    }
    if (settled === undefined) continue;
    const group = groupOf(groups, settled);
    (settled === own ? group.names : group.weights).add(spelling);
    group.slugs.push(slugOf(spelling));
    if (name.inferred) group.inferredFrom.add(offer.provider);
    else group.authorNamed = true;
  }
  const rows = [...groups]
    .filter(([, group]) => attributable(group))
    .map(([key, group]) => rowOf(key, group));
  return {
    rows: rows.toSorted((a, b) => (a.model < b.model ? -1 : 1)),
    apart: apart.toSorted((a, b) =>
      `${a.provider} ${a.upstream}` < `${b.provider} ${b.upstream}` ? -1 : 1,
    ),
  };
}

/** A bare name that one reseller alone uses may be anybody's derivative: its author is not inferred from its family. */
const attributable = (group: Group): boolean =>
  group.bases.size > 0 ||
  group.authorNamed ||
  group.weights.size > 0 ||
  group.inferredFrom.size > 1 ||
  [...group.inferredFrom].some((provider) => FIRST_HAND.has(provider));

interface Group {
  readonly bases: Set<string>;
  readonly names: Set<string>;
  readonly weights: Set<string>;
  readonly slugs: string[];
  /** Providers whose bare name gave the author by its family only. */
  readonly inferredFrom: Set<string>;
  authorNamed: boolean;
}

function groupOf(groups: Map<string, Group>, key: string): Group {
  const existing = groups.get(key);
  if (existing) return existing;
  const group: Group = {
    bases: new Set(),
    names: new Set(),
    weights: new Set(),
    slugs: [],
    inferredFrom: new Set(),
    authorNamed: false,
  };
  groups.set(key, group);
  return group;
}

function baseKey(baseModel: string, authorOf: (spelling: string) => string | undefined): string {
  const { author, key } = normaliseName('models.dev', baseModel, authorOf);
  const own = `${author}/${key}`;
  return SAME_WEIGHTS.get(own) ?? own;
}

/** Words that stand in one of the two names only, the author and neutral ones left out. */
function differingWords(name: string, base: string): string[] {
  const own = wordsOf(name);
  const theirs = wordsOf(base);
  const onlyOne = [
    ...[...own].filter((word) => !theirs.has(word)),
    ...[...theirs].filter((word) => !own.has(word)),
  ];
  return onlyOne.filter((word) => !NEUTRAL.has(word));
}

const wordsOf = (name: string): Set<string> =>
  new Set(
    name
      .slice(name.indexOf('/') + 1)
      .split(/[^a-z0-9]+/)
      .filter((word) => word !== ''),
  );

const slugOf = (spelling: string): string => spelling.split('/').at(-1)!;

/** The model's own slug: as the source's base has it, else as most offers spell it. */
function rowOf(key: string, group: Group): IdentityRow {
  const [author] = key.split('/');
  const bases = [...group.bases].toSorted();
  const shortestBase = bases.toSorted((a, b) => a.length - b.length)[0];
  const slug =
    shortestBase === undefined
      ? mostCommon(plainSlugs(key, group.slugs))
      : slugOf(shortestBase.toLowerCase());
  const joins: IdentityRow['joins'][number][] = [];
  if (bases.length > 0) joins.push({ basis: 'source-base-model', names: bases });
  if (group.names.size > 0)
    joins.push({ basis: 'same-name-reviewed', names: [...group.names].toSorted() });
  if (group.weights.size > 0) {
    joins.push({ basis: 'same-weights-reviewed', names: [...group.weights].toSorted() });
  }
  return { model: `${author}/${slug.replace(/[^a-z0-9._:-]/g, '-')}`, joins };
}

/** Slugs that are the key but for punctuation, without a host's wrapping; the key itself where there is none. */
function plainSlugs(key: string, slugs: readonly string[]): readonly string[] {
  const bare = key.slice(key.indexOf('/') + 1);
  const plain = slugs.filter((slug) => slug.replace(/[._-]/g, '') === bare.replace(/-/g, ''));
  return plain.length > 0 ? plain : [bare];
}

function mostCommon(slugs: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const slug of slugs) counts.set(slug, (counts.get(slug) ?? 0) + 1);
  return [...counts].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]![0];
}

// A finite set of questions that stands for all requests a bundle can tell apart well enough to compare bundles,
// and to say what a gateway can ever reach: who asks × what is said of the data.
import { analysisOf } from '../analysis.js';
import { isNode, literalOf, operatorOf } from '../reads.js';
import { DATA_CLASSES } from '../types.js';
import type { PolicyBundle, PrincipalProfile, RequestFacts } from '../types.js';

export interface ContextClass {
  /** For people: `organisation starter-eu-bank, internal, tags personal, subjects EEA`. */
  readonly name: string;
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
}

/** Subjects of whom most law speaks, asked about even where no policy names them. */
const SUBJECTS = ['EEA', 'US', 'CN'] as const;
/** Words of one kind that are taken up; a bundle with more is asked about the first ones. */
const WORDS_MAX = 300;
const PRINCIPALS_MAX = 60;
const ANYBODY = 'anybody';

/**
 * Principals: one whom no policy names, and each organisation, workspace, key, sector, jurisdiction and environment
 * that one does; and where one policy asks for a sector and a jurisdiction, the first of its sectors with each of its
 * jurisdictions. Facts: every data class without tags, with each purpose that a policy names; every tag that a policy
 * names and every region of subjects, each alone, for the classes `internal` and `public`; and for the principal whom
 * no policy names, every tag with every region. Combinations of two tags are not in the set: a rule that needs both
 * shows in recorded traffic only.
 */
export function contextClasses(bundles: readonly PolicyBundle[]): readonly ContextClass[] {
  const named = wordsOf(bundles);
  const [all, single] = [factClasses(named, true), factClasses(named, false)];
  return principalClasses(named, bundles).flatMap(({ name, profile }) =>
    (name === ANYBODY ? all : single).map((f) => ({
      name: `${name}, ${f.name}`,
      profile,
      facts: f.facts,
    })),
  );
}

/** The same for principals of one organisation only. */
export const contextsOf = (
  contexts: readonly ContextClass[],
  organisationIds: readonly string[],
): readonly ContextClass[] =>
  contexts.filter((c) => organisationIds.includes(c.profile.organisationId));

function factClasses(
  named: Words,
  combined: boolean,
): readonly { readonly name: string; readonly facts: RequestFacts }[] {
  const tags = [...named.of('tags')].toSorted();
  const subjects = [...new Set([...SUBJECTS, ...named.of('subjects')])].toSorted();
  const purposes = ['development', ...named.of('purpose')];
  const made = new Map<string, RequestFacts>();
  const add = (over: Partial<RequestFacts>): void => {
    const facts: RequestFacts = {
      dataClass: 'internal',
      dataTags: [],
      subjectRegions: [],
      purpose: 'development',
      want: { zdr: false, denyDataCollection: false, confidential: false },
      ...over,
    };
    made.set(nameOf(facts), facts);
  };
  for (const purpose of purposes) for (const dataClass of DATA_CLASSES) add({ dataClass, purpose });
  for (const dataClass of ['internal', 'public'] as const) {
    for (const subject of subjects) add({ dataClass, subjectRegions: [subject] });
    for (const tag of tags) add({ dataClass, dataTags: [tag] });
  }
  if (combined)
    for (const tag of tags)
      for (const subject of subjects) add({ dataTags: [tag], subjectRegions: [subject] });
  return [...made].map(([name, facts]) => ({ name, facts }));
}

function nameOf(f: RequestFacts): string {
  const parts: string[] = [f.dataClass];
  if (f.dataTags.length > 0) parts.push(`tags ${f.dataTags.join(' ')}`);
  if (f.subjectRegions.length > 0) parts.push(`subjects ${f.subjectRegions.join(' ')}`);
  if (f.purpose !== 'development') parts.push(`purpose ${f.purpose}`);
  return parts.join(', ');
}

function principalClasses(
  named: Words,
  bundles: readonly PolicyBundle[],
): readonly { readonly name: string; readonly profile: PrincipalProfile }[] {
  const anybody: PrincipalProfile = {
    organisationId: '',
    workspaceId: '',
    keyId: '',
    sector: '',
    jurisdiction: '',
    environment: '',
  };
  const made = [{ name: ANYBODY, profile: anybody }];
  const add = (member: keyof PrincipalProfile, word: string, ids: Iterable<string>): void => {
    for (const id of ids) {
      if (made.length >= PRINCIPALS_MAX) return;
      made.push({ name: `${word} ${id}`, profile: { ...anybody, [member]: id } });
    }
  };
  add('organisationId', 'organisation', named.entities('Organisation'));
  add('workspaceId', 'workspace', named.entities('Workspace'));
  add('keyId', 'key', named.entities('Key'));
  add('sector', 'sector', named.of('sector'));
  add('jurisdiction', 'jurisdiction', named.of('jurisdiction'));
  add('environment', 'environment', named.of('environment'));
  const pairs = new Set<string>();
  for (const { sector, jurisdiction } of sectorsAbroad(bundles)) {
    const name = `sector ${sector} in ${jurisdiction}`;
    if (pairs.has(name) || made.length >= PRINCIPALS_MAX) continue;
    pairs.add(name);
    made.push({ name, profile: { ...anybody, sector, jurisdiction } });
  }
  return made;
}

/** Sectors of one place that a single policy binds: neither word alone would meet it. */
function* sectorsAbroad(
  bundles: readonly PolicyBundle[],
): Generator<Pick<PrincipalProfile, 'sector' | 'jurisdiction'>> {
  for (const bundle of bundles)
    for (const json of analysisOf(bundle).jsons) {
      const words = new Words();
      walk(json, words);
      const [sector] = [...words.of('sector')].toSorted();
      if (sector === undefined) continue;
      for (const jurisdiction of words.of('jurisdiction')) yield { sector, jurisdiction };
    }
}

/** Words that policies compare attributes with, and entities that they name. */
export class Words {
  readonly #byAttribute = new Map<string, Set<string>>();
  readonly #entities = new Map<string, Set<string>>();

  of(attribute: string): ReadonlySet<string> {
    return this.#byAttribute.get(attribute) ?? new Set();
  }

  entities(type: string): ReadonlySet<string> {
    return this.#entities.get(type) ?? new Set();
  }

  compare(attribute: string, words: readonly string[]): void {
    add(this.#byAttribute, attribute, words);
  }

  name({ type, id }: { readonly type: string; readonly id: string }): void {
    add(this.#entities, type, [id]);
  }
}

function add(to: Map<string, Set<string>>, key: string, words: readonly string[]): void {
  const set = to.get(key) ?? new Set();
  to.set(key, set);
  for (const word of words) if (set.size < WORDS_MAX) set.add(word);
}

export function wordsOf(bundles: readonly PolicyBundle[]): Words {
  const found = new Words();
  for (const bundle of bundles) for (const json of analysisOf(bundle).jsons) walk(json, found);
  return found;
}

function walk(expr: unknown, found: Words): void {
  if (Array.isArray(expr)) {
    for (const e of expr) walk(e, found);
    return;
  }
  if (!isNode(expr)) return;
  const entity = literalOf(expr);
  if (entity) found.name(entity);
  const [, body] = operatorOf(expr);
  if (isNode(body) && 'left' in body && 'right' in body) {
    for (const [side, other] of [
      [body['left'], body['right']],
      [body['right'], body['left']],
    ]) {
      const attribute = attributeOf(side);
      if (attribute !== undefined) found.compare(attribute, stringsIn(other));
    }
  }
  for (const member of Object.values(expr)) walk(member, found);
}

function attributeOf(expr: unknown): string | undefined {
  const [name, body] = operatorOf(expr);
  return name === '.' && isNode(body) && typeof body['attr'] === 'string'
    ? body['attr']
    : undefined;
}

/** Strings of a literal or a set of literals. */
function stringsIn(expr: unknown): string[] {
  if (typeof expr === 'string') return [expr];
  if (Array.isArray(expr)) return expr.flatMap(stringsIn);
  const [name, body] = operatorOf(expr);
  return name === 'Value' || name === 'Set' ? stringsIn(body) : [];
}

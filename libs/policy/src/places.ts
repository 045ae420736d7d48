// Places as facts state them: ISO 3166-1 alpha-2 codes and a few blocs. Law speaks of the EEA as one place.

const EEA_MEMBERS = (
  'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE ' + 'IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK'
).split(' ');

/** Members named only where a source's bloc is known to hold them: a bloc never stands for one member. */
const BLOCS: Readonly<Record<string, readonly string[]>> = {
  EEA: EEA_MEMBERS,
  NA: ['US', 'CA', 'MX'],
  APAC: ['JP', 'AU', 'SG', 'KR', 'IN', 'HK', 'TW', 'MY', 'TH', 'ID', 'NZ'],
};

/** Region tokens of endpoint ids, and what callers write for the same places. */
const SPOKEN: Readonly<Record<string, string>> = { EU: 'EEA', EUROPE: 'EEA', UK: 'GB' };

const COUNTRY = /^[A-Z]{2}$/;

const eea = new Set(EEA_MEMBERS);

/** `eu` → `EEA`, `us` → `US`, `apac` → `APAC`; undefined where the token names no place we know. */
export function placeOf(token: string): string | undefined {
  const upper = token.toUpperCase();
  const spoken = SPOKEN[upper] ?? upper;
  return spoken in BLOCS || COUNTRY.test(spoken) ? spoken : undefined;
}

/** Members of the EEA read as EEA; everything else stays. Sorted, unique. */
export const asBlocs = (places: readonly string[]): string[] =>
  [...new Set(places.map((p) => (eea.has(p) ? 'EEA' : p)))].toSorted();

/**
 * Places as rules compare them: spelt one way, members of the EEA as EEA. Undefined where a word names no
 * place we know ("China", "worldwide"): it could be any, so nothing is known.
 */
export function comparable(stated: readonly string[]): string[] | undefined {
  const places = stated.map((word) => placeOf(word));
  return places.every((p) => p !== undefined) ? asBlocs(places) : undefined;
}

/** Countries of seat and ownership, never merged into a bloc. Undefined as above. */
export function countries(stated: readonly string[]): string[] | undefined {
  const named = stated.map((word) => placeOf(word));
  return named.every((p) => p !== undefined) ? [...new Set(named)].toSorted() : undefined;
}

/** The organisation's jurisdiction: the EEA for its members, a word we do not know as it stands. */
export const jurisdictionOf = (stated: string): string => comparable([stated])?.[0] ?? stated;

/** Whether the two can be the same place: equal, or one a bloc that holds the other. */
export const overlap = (a: string, b: string): boolean =>
  a === b || (BLOCS[a]?.includes(b) ?? false) || (BLOCS[b]?.includes(a) ?? false);

/** The places that satisfy a caller who asked for `tokens`: a bloc admits its members, never the reverse. */
export function admitted(tokens: readonly string[]): string[] {
  const places = new Set<string>();
  for (const token of tokens) {
    const place = placeOf(token) ?? token;
    places.add(place);
    for (const member of BLOCS[place] ?? []) places.add(member);
  }
  return [...places].toSorted();
}

/**
 * Where the data's subjects are. A word that names no place we know might be the EEA, and so counts as
 * it too: a spelling mistake must not lift the strictest rule.
 */
export function subjectPlaces(tokens: readonly string[]): string[] {
  const places = new Set<string>();
  for (const token of tokens) {
    const place = placeOf(token);
    places.add(place ?? token);
    if (place === undefined || eea.has(place)) places.add('EEA');
  }
  return [...places].toSorted();
}

import type { Authors } from './authors.js';
import type { ModelRecord } from './catalog-format.js';
import type { PlacedOffer } from './import-offers.js';
import type { IdentityTable } from './model-identity.js';
import type { SourceModel } from './source-models-dev.js';

/** Spellings that wrap a model in a host's path are no names to ask for. */
const ASKABLE = /^[a-z0-9][a-z0-9._:-]*(?:\/[a-z0-9][a-z0-9._:-]*)?$/;

/** One record per model that has an endpoint; facts from the source's base where there is one, else from its offers. */
export function modelRecords(
  placed: readonly PlacedOffer[],
  table: IdentityTable,
  bases: ReadonlyMap<string, SourceModel>,
  authors: Authors,
): ModelRecord[] {
  const rows = new Map(table.models.map((row) => [row.model, row]));
  const offersOf = Map.groupBy(placed, ({ record }) => record.model);
  const aliases = aliasesOf(table, new Set(offersOf.keys()), authors);
  return [...offersOf].map(([id, offers]): ModelRecord => {
    const names = rows.get(id)?.joins ?? [];
    const base = names
      .filter(({ basis }) => basis === 'source-base-model')
      .flatMap((join) => join.names)
      .map((name) => bases.get(name))
      .find((model) => model !== undefined);
    const author = id.slice(0, id.indexOf('/'));
    const lab = rows.has(id) ? authors.get(author) : undefined;
    const sources = offers.map(({ offer }) => offer);
    const family = base?.family ?? agreed(sources.map((offer) => offer.family));
    const openWeights = base?.openWeights ?? agreed(sources.map((offer) => offer.openWeights));
    const releasedOn = base?.released ?? sources.map((offer) => offer.released).toSorted()[0];
    const known = aliases.get(id);
    return {
      id,
      name: plainName(base?.name ?? mostCommon(sources.map((offer) => offer.name))),
      author,
      ...(family === undefined ? {} : { family }),
      ...(openWeights === undefined ? {} : { openWeights }),
      ...(lab === undefined || lab.originCountry === null
        ? {}
        : { originCountry: lab.originCountry }),
      ...(releasedOn === undefined ? {} : { releasedOn }),
      context:
        base !== undefined && base.context > 0
          ? base.context
          : Math.max(...sources.map((offer) => offer.context)),
      ...(known === undefined ? {} : { aliases: known }),
    };
  });
}

/** Names that mean one model only; an alias that two models could claim belongs to neither. */
function aliasesOf(
  table: IdentityTable,
  ids: ReadonlySet<string>,
  authors: Authors,
): ReadonlyMap<string, string[]> {
  const claims = new Map<string, Set<string>>();
  const claim = (alias: string, model: string): void => {
    if (!ASKABLE.test(alias) || ids.has(alias)) return;
    const claimants = claims.get(alias);
    if (claimants) claimants.add(model);
    else claims.set(alias, new Set([model]));
  };
  for (const { model, joins } of table.models) {
    if (!ids.has(model)) continue;
    const [author, slug] = model.split('/') as [string, string];
    claim(slug, model);
    for (const spelling of authors.get(author)?.aliases ?? []) claim(`${spelling}/${slug}`, model);
    for (const { basis, names } of joins) {
      for (const name of names) {
        if (basis === 'source-base-model') claim(name.toLowerCase(), model);
        else claim(name, model);
      }
    }
  }
  const aliases = new Map<string, string[]>();
  for (const [alias, claimants] of [...claims].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (claimants.size > 1) continue;
    const [model] = claimants;
    const list = aliases.get(model!);
    if (list) list.push(alias);
    else aliases.set(model!, [alias]);
  }
  return aliases;
}

/** The one value that all who say something say; undefined where they differ. */
function agreed<T>(values: readonly (T | undefined)[]): T | undefined {
  const said = new Set(values.filter((value) => value !== undefined));
  return said.size === 1 ? [...said][0] : undefined;
}

function mostCommon(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))[0]![0];
}

/** Titles carry notes of their offer: `Claude Sonnet 4.5 (latest)`, `OpenAI: GPT-4o`. */
const plainName = (title: string): string =>
  title.replace(/ \(latest\)$/, '').replace(/^[A-Za-z.]+: /, '');

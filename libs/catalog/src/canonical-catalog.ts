import { canonicalJson, sha256, type Json } from '#libs/kernel';
import {
  CATALOG_FILE_NAMES,
  parseCatalogFiles,
  type CatalogFileName,
  type CatalogRecords,
} from './catalog-format.js';
import { CatalogError } from './errors.js';

/** All records as one text, whatever the white space and order of lines in the files: what is kept of a catalog. */
export function canonicalRecords(records: CatalogRecords): string {
  return canonicalJson({
    endpoints: records.endpoints.toSorted(byId) as Json,
    facts: records.facts.map((row) => canonicalJson(row as unknown as Json)).toSorted(),
    models: records.models.toSorted(byId) as unknown as Json,
    providers: records.providers.toSorted(byId) as unknown as Json,
  });
}

/**
 * The text whose digest is the version of the catalog in these files. Throws CatalogError `catalog-invalid` where a
 * record breaks the format; what records say of each other is looked at by `loadCatalog`.
 */
export const catalogText = (read: (name: CatalogFileName) => string): string =>
  canonicalRecords(parseCatalogFiles(read));

/**
 * The files that such a text was made of, for `loadCatalog`. Throws CatalogError `catalog-invalid` where the text is not
 * the one of this version: nothing of it is read then.
 */
export function filesOfText(
  version: string,
  text: string | Uint8Array,
): (name: CatalogFileName) => string {
  if (sha256(text) !== version) throw notIt(version);
  const whole: unknown = JSON.parse(typeof text === 'string' ? text : Buffer.from(text).toString());
  const files = new Map<string, string>();
  for (const name of CATALOG_FILE_NAMES) {
    const rows = (whole as Record<string, unknown> | null)?.[name.replace(/\.jsonl$/, '')];
    if (!Array.isArray(rows)) throw notIt(version);
    // Facts stand as texts of their own: they have no id to be sorted by.
    const lines = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row)));
    files.set(name, lines.join('\n'));
  }
  return (name) => files.get(name)!;
}

const notIt = (version: string): CatalogError =>
  new CatalogError('catalog-invalid', `what is kept as catalog ${version} is not that catalog`);

const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
  a.id < b.id ? -1 : a.id > b.id ? 1 : 0;

import type { DataSource } from 'typeorm';
import { catalogText, type Catalog, type CatalogFileName } from '#libs/catalog';

/**
 * Keeps the catalog at hand for ever, under the version that decisions on it cite. Once per version: later starts find it
 * there. Rejects where the files are no longer those that the catalog was loaded from: the table holds nothing whose
 * digest is not its version.
 */
export async function keepCatalog(
  database: Pick<DataSource, 'query'>,
  { version }: Pick<Catalog, 'version'>,
  read: (name: CatalogFileName) => string,
): Promise<void> {
  const kept = await database.query<unknown[]>(
    'select from policy.catalog_version where version = $1',
    [version],
  );
  if (kept.length > 0) return;
  await database.query(
    `insert into policy.catalog_version (version, records) values ($1, $2) on conflict do nothing`,
    [version, Buffer.from(catalogText(read))],
  );
}

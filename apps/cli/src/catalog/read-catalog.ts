import { loadCatalog, type Catalog } from '#libs/catalog';
import { builtInCatalogDirectory, catalogReader } from './catalog-directory.js';

/** The catalog in a folder; the built-in one where none is named. Throws DomainError with the file and the fault. */
export const readCatalog = (folder?: string): Catalog =>
  loadCatalog(catalogReader(folder ?? builtInCatalogDirectory()));

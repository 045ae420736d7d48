import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCatalog, type Catalog } from '#libs/catalog';

/** Reads the catalog's files below `dir`; throws DomainError with the file and the fault when one is not valid. */
export const readBuiltInCatalog = (dir: string): Catalog =>
  loadCatalog((name) => readFileSync(join(dir, name), 'utf8'));

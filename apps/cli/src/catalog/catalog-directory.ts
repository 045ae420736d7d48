import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CatalogFileName } from '#libs/catalog';

/** Directory of the built-in catalog: beside the package's manifest, wherever the code was compiled to. */
export function builtInCatalogDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error('no package.json above this file');
    directory = parent;
  }
  return join(directory, 'libs', 'catalog', 'data');
}

/** Reader of one catalog directory, for `loadCatalog`. */
export const catalogReader =
  (directory: string) =>
  (name: CatalogFileName): string =>
    readFileSync(join(directory, name), 'utf8');

/** A fault of the file system (absent, unreadable), which a command reports instead of crashing on it. */
export const isFileFault = (
  error: unknown,
): error is { readonly code: string; readonly message: string } =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  typeof error.code === 'string' &&
  'syscall' in error &&
  'message' in error;

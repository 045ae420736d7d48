import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '#libs/platform';
import type { BundleSources } from '#libs/policy';

const SCHEMA_FILE = 'schema.cedarschema';

export interface PolicyOptions {
  readonly folder: string;
  readonly json: boolean;
  readonly watch: boolean;
}

/** `[folder] [--json] [--watch]`; the shipped policies where no folder is named. Undefined = bad usage. */
export function policyOptions(args: string[]): PolicyOptions | undefined {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        json: { type: 'boolean', default: false },
        watch: { type: 'boolean', default: false },
      },
      allowPositionals: true,
    });
    if (positionals.length > 1) return undefined;
    const folder = positionals[0] ?? shippedFolder();
    return { folder, ...values };
  } catch {
    return undefined;
  }
}

export const shippedFolder = (): string => join(packageRoot(import.meta.dirname), 'policies');

/** Why a folder cannot hold policies, or undefined. */
export const folderFault = (folder: string): string | undefined =>
  existsSync(join(folder, SCHEMA_FILE)) ? undefined : `there is no ${SCHEMA_FILE} in ${folder}`;

export const readSources = (folder: string): BundleSources => ({
  policies: Object.fromEntries(textsBelow(folder, '**/*.cedar')),
  schema: readFileSync(join(folder, SCHEMA_FILE), 'utf8'),
});

/** Texts by path below the folder, sorted by path. */
export const textsBelow = (folder: string, pattern: string): [file: string, text: string][] =>
  globSync(pattern, { cwd: folder })
    .toSorted()
    .map((file) => [file, readFileSync(join(folder, file), 'utf8')]);

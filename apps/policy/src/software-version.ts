import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '#libs/platform';

let read: string | undefined;

/** Of this product, from its package: an evaluator that was found wrong in one version may be mended in another. */
export function softwareVersion(): string {
  read ??= (
    JSON.parse(readFileSync(join(packageRoot(import.meta.dirname), 'package.json'), 'utf8')) as {
      version: string;
    }
  ).version;
  return read;
}

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Nearest folder upwards with a package.json: the same from the sources and from the build. Throws where none is. */
export function packageRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('no package.json above this file');
  return packageRoot(parent);
}

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '#libs/platform';
import type { BundleSources } from '#libs/policy';

const SCHEMA_FILE = 'schema.cedarschema';

/** Every `*.cedar` below a folder, and its schema. Throws ConfigError where there are none. */
export function readPolicyDirectory(folder: string): BundleSources {
  try {
    const files = globSync('**/*.cedar', { cwd: folder }).toSorted();
    const texts = files.map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const);
    const schema = readFileSync(join(folder, SCHEMA_FILE), 'utf8');
    return { policies: Object.fromEntries(texts), schema };
  } catch {
    throw new ConfigError([
      { variable: 'CUSTOS_POLICY_DIR', problem: `needs a readable folder with ${SCHEMA_FILE}` },
    ]);
  }
}

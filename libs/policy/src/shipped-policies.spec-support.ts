import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { buildBundle } from './build-bundle.js';
import type { BundleSources } from './build-bundle.js';
import type { PolicyBundle } from './types.js';

export const POLICY_DIR = join(import.meta.dirname, '../../../policies');
const read = (file: string): string => readFileSync(join(POLICY_DIR, file), 'utf8');

export const shippedSources: BundleSources = {
  policies: Object.fromEntries(
    globSync('**/*.cedar', { cwd: POLICY_DIR }).map((f) => [f, read(f)]),
  ),
  schema: read('schema.cedarschema'),
};

export const caseFiles: readonly { readonly file: string; readonly text: string }[] = globSync(
  '**/*.cases.json',
  { cwd: POLICY_DIR },
)
  .toSorted()
  .map((file) => ({ file, text: read(file) }));

const bundles = new Map<string, PolicyBundle>();

/** The shipped bundle, with further policy texts where a spec plants some. */
export function shippedBundle(more: Readonly<Record<string, string>> = {}): PolicyBundle {
  const key = JSON.stringify(more);
  const known = bundles.get(key);
  if (known) return known;
  const { policies, schema } = shippedSources;
  const built = buildBundle({ policies: { ...policies, ...more }, schema });
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  bundles.set(key, built.bundle);
  return built.bundle;
}

/** One policy with its annotations, for specs. */
export const policyText = (id: string, layer: string, head: string, body: string): string =>
  `@id("${id}") @layer("${layer}") @law("a law") @reason("a reason")\n${head}\n${body};\n`;

export const ANYBODY = '(principal, action == Custos::Action::"sendPrompt", resource)';

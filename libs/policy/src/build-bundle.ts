import { canonicalJson, sha256 } from '#libs/kernel';

import { checkSchema, policyJson, splitPolicies, validateStrictly } from './cedar.js';
import type { BundleFault, ReadPolicy } from './read-policy.js';
import { lintConditions } from './lint-conditions.js';
import { lintLiftable } from './lint-liftable.js';
import { lintPolicy, lintSet } from './lint.js';
import { schemaFits } from './probe.js';
import type { PolicyBundle } from './types.js';

export interface BundleSources {
  /** Cedar text by file name. */
  readonly policies: Readonly<Record<string, string>>;
  readonly schema: string;
}

export type BuiltBundle =
  | { readonly ok: true; readonly bundle: PolicyBundle }
  | { readonly ok: false; readonly faults: readonly BundleFault[] };

/**
 * Text to bundle: parse, take ids and citations from the annotations, lint, validate strictly.
 * The version covers the text of each policy (without the comments between policies) and the schema, not
 * the names of files: moving a policy to another file changes nothing.
 */
export const buildBundle = (sources: BundleSources): BuiltBundle => assemble(sources, true);

/** `authoring`: the rules of writing apply too; they bind what is published from now on. */
function assemble(sources: BundleSources, authoring: boolean): BuiltBundle {
  const faults: BundleFault[] = [];
  const parsed = checkSchema(sources.schema);
  const schema = parsed.ok ? schemaFits(sources.schema) : parsed;
  if (!schema.ok) {
    for (const message of schema.messages) {
      faults.push({ code: parsed.ok ? 'schema-misfit' : 'schema-syntax', file: 'schema', message });
    }
  }
  const read = readPolicies(sources.policies, faults);
  faults.push(...lintSet(read));
  if (authoring) faults.push(...read.flatMap(writingFaults));
  const texts = Object.fromEntries(read.map((p) => [p.id, p.text]));
  if (schema.ok) faults.push(...validationFaults(sources.schema, texts, read));
  if (faults.length > 0) return { ok: false, faults };

  return {
    ok: true,
    bundle: {
      version: sha256(canonicalJson({ policies: texts, schema: sources.schema })),
      policies: texts,
      schema: sources.schema,
      citations: Object.fromEntries(read.map((p) => [p.id, p.citation])),
    },
  };
}

/**
 * Opens a bundle that came from elsewhere (a snapshot over HTTP, a stored version): everything is built
 * again from its texts, citations too, and the result must have the version it claims. How rules are
 * written today does not close a bundle that was published before.
 */
export function openBundle(
  claimed: Pick<PolicyBundle, 'version' | 'policies' | 'schema'>,
): BuiltBundle {
  const built = assemble({ policies: claimed.policies, schema: claimed.schema }, false);
  if (!built.ok || built.bundle.version === claimed.version) return built;
  const message = `contents have version ${built.bundle.version}, not ${claimed.version}`;
  return { ok: false, faults: [{ code: 'version', file: 'bundle', message }] };
}

function readPolicies(
  files: Readonly<Record<string, string>>,
  faults: BundleFault[],
): ReadPolicy[] {
  const read = new Map<string, ReadPolicy>();
  for (const file of Object.keys(files).toSorted()) {
    const parts = splitPolicies(files[file] ?? '');
    if (!parts.ok) {
      for (const message of parts.messages) faults.push({ code: 'policy-syntax', file, message });
      continue;
    }
    for (const text of parts.value) {
      const json = policyJson(text);
      if (!json.ok) {
        for (const message of json.messages) faults.push({ code: 'policy-syntax', file, message });
        continue;
      }
      const linted = lintPolicy(file, text, json.value);
      faults.push(...linted.faults);
      if (linted.policy === undefined) continue;
      const { id } = linted.policy;
      const first = read.get(id);
      if (first) {
        const message = `id is taken by ${first.file}`;
        faults.push({ code: 'duplicate-id', file, policyId: id, message });
      } else read.set(id, linted.policy);
    }
  }
  return [...read.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

const writingFaults = ({ id, file, json, citation }: ReadPolicy): BundleFault[] =>
  [...lintConditions(json), ...lintLiftable(id, json, citation)].map((fault) => ({
    ...fault,
    file,
    policyId: id,
  }));

function validationFaults(
  schema: string,
  texts: Readonly<Record<string, string>>,
  read: readonly ReadPolicy[],
): BundleFault[] {
  const checked = validateStrictly(schema, { ...texts });
  if (!checked.ok) {
    return checked.messages.map((message) => ({ code: 'validation', file: 'schema', message }));
  }
  const fileOf = new Map(read.map((p) => [p.id, p.file]));
  return checked.value.map(({ policyId, message }) => ({
    code: 'validation',
    file: fileOf.get(policyId) ?? 'schema',
    policyId,
    message,
  }));
}

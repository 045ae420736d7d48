import { NAMESPACE } from './cedar.js';
import type { PolicyJson } from './cedar.js';
import type { BundleFault, ReadPolicy } from './read-policy.js';
import { EXCLUSION_CODES, POLICY_LAYERS } from './types.js';
import type { ExclusionCode, PolicyLayer } from './types.js';

/** Ids are cited in records and URLs for ever: lower-case words joined by dots. */
const POLICY_ID = /^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$/;
const POLICY_ID_LIMIT = 120;

/** A policy of these layers must name whom it binds in its scope, or it would bind everybody. */
const BOUND_TO: Partial<Record<PolicyLayer, string>> = {
  organisation: 'Organisation',
  workspace: 'Workspace',
  key: 'Key',
};

const isLayer = (v: string): v is PolicyLayer => POLICY_LAYERS.some((layer) => layer === v);
const isCode = (v: string): v is ExclusionCode => EXCLUSION_CODES.some((code) => code === v);

/** What can be said of one policy alone. A policy whose identity is unclear is reported, not returned. */
export function lintPolicy(
  file: string,
  text: string,
  json: PolicyJson,
): { readonly policy?: ReadPolicy; readonly faults: readonly BundleFault[] } {
  const { id = '', law = '', reason = '', layer = '', code, liftable } = json.annotations ?? {};
  if (id.length > POLICY_ID_LIMIT || !POLICY_ID.test(id)) {
    const shown = id === '' ? (text.trimStart().split('\n')[0] ?? '') : id;
    const message = `@id must be dotted lower-case words: ${shown.slice(0, POLICY_ID_LIMIT)}`;
    return { faults: [{ code: 'annotation', file, message }] };
  }
  const faults: BundleFault[] = [];
  const say = (code: BundleFault['code'], message: string): void => {
    faults.push({ code, file, policyId: id, message });
  };
  if (law.trim() === '') say('annotation', '@law is missing');
  if (reason.trim() === '') say('annotation', '@reason is missing');
  if (code !== undefined && !isCode(code)) {
    say('annotation', `@code must be one of ${EXCLUSION_CODES.join(', ')}`);
  }
  if (!isLayer(layer)) {
    say('annotation', `@layer must be one of ${POLICY_LAYERS.join(', ')}`);
    return { faults };
  }
  const bound = BOUND_TO[layer];
  if (bound !== undefined && principalType(json) !== `${NAMESPACE}::${bound}`) {
    say('layering', `a policy of layer ${layer} must name its ${bound} in the scope`);
  }
  const citation = {
    id,
    law,
    reason,
    layer,
    code: code !== undefined && isCode(code) ? code : 'policy',
    ...(liftable !== undefined && { liftable }),
  } as const;
  return { policy: { id, file, text, json, citation }, faults };
}

/**
 * Only ever tightening: one permit, in the platform layer, and everything else forbids. Forbid wins in
 * Cedar, so with this shape no child layer can widen what its parents left.
 */
export function lintSet(read: readonly ReadPolicy[]): BundleFault[] {
  const faults: BundleFault[] = [];
  const permits = read.filter((p) => p.json.effect === 'permit');
  for (const { file, id, citation } of permits) {
    if (citation.layer === 'platform') continue;
    const message = `only the platform layer may permit, this is ${citation.layer}`;
    faults.push({ code: 'layering', file, policyId: id, message });
  }
  const baseline = permits.filter((p) => p.citation.layer === 'platform');
  if (baseline.length !== 1) {
    const ids = baseline.map((p) => p.id).join(', ');
    const message = `exactly one baseline permit is needed, found ${baseline.length} ${ids}`.trim();
    faults.push({ code: 'layering', file: baseline[1]?.file ?? 'policies', message });
  }
  return faults;
}

function principalType(json: PolicyJson): string | undefined {
  const { principal } = json;
  if (principal.op !== '==' && principal.op !== 'in') return undefined;
  if (!('entity' in principal)) return undefined;
  const { entity } = principal;
  return '__entity' in entity ? entity.__entity.type : entity.type;
}

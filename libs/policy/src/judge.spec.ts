import { describe, expect, it } from '@jest/globals';

import { policyJson } from './cedar.js';
import { compilePolicies } from './compiled/compiled-set.js';
import type { CompiledSet } from './compiled/compiled-set.js';
import { Decider } from './decider.js';
import { SHADOW_FIRST, SHADOW_ONE_IN } from './judge.js';
import type { Mismatch } from './judge.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { Decision, PolicyBundle, RequestFacts } from './types.js';

/** More classes of endpoints than are checked at first: each provider is one, as a rule names one. */
const providers = Array.from({ length: SHADOW_FIRST + 8 }, (_, at) => `p${at}`);
const catalog = sampleCatalog(
  providers.map((id) => provider(id, { trainsOnApiData: id === 'p3' })),
  [model('a/b')],
  providers.map((providerId) => ({ providerId, modelId: 'a/b' })),
);

const bundleOf = (name: string, condition: string): PolicyBundle =>
  shippedBundle({ own: policyText(`own.${name}`, 'platform', `forbid ${ANYBODY}`, condition) });

/** The compiled form of some policies of a bundle. */
function compiled({ policies }: PolicyBundle, without: readonly string[] = []): CompiledSet {
  const jsons = Object.entries(policies).flatMap(([id, text]) => {
    const json = policyJson(text);
    if (!json.ok) throw new Error(json.messages.join());
    return without.includes(id) ? [] : [[id, json.value] as const];
  });
  const result = compilePolicies(Object.fromEntries(jsons));
  if (!result.ok) throw new Error(JSON.stringify(result.unsupported));
  return result.set;
}

const ask = (decider: Decider, request: RequestFacts = facts()): Decision =>
  decider.decide({ profile: PROFILE, facts: request, endpoints: catalog.endpoints, nowMs: NOW_MS });

const names = (d: Decision): string[] => d.permitted.map((e) => e.providerId);

describe('the judge', () => {
  it('answers from the compiled form what cedar-wasm answers', () => {
    const bundle = bundleOf('sound', 'when { resource in Custos::Provider::"p5" }');
    const told: Mismatch[] = [];
    const decider = new Decider(bundle, catalog, { onMismatch: (m) => told.push(m) });
    const expected = providers.filter((id) => id !== 'p3' && id !== 'p5');
    expect(names(ask(decider))).toEqual(expected);
    expect([decider.evaluator, told]).toEqual(['compiled', []]);
  });

  it('falls back for ever on a planted difference, tells once, and keeps nothing of what was said', () => {
    const bundle = bundleOf('planted', 'when { resource in Custos::Provider::"p0" }');
    const wrong = compiled(bundle, ['base.no-training']);
    const told: Mismatch[] = [];
    const options = { compiled: wrong, onMismatch: (m: Mismatch) => told.push(m) };
    const decider = new Decider(bundle, catalog, options);
    expect(decider.evaluator).toBe('compiled');
    // p3 trains. Without the rule that reads this it falls into one class with p1: its own answer shows the difference.
    expect(names(ask(decider))).toEqual(providers.filter((id) => id !== 'p0' && id !== 'p3'));
    expect(told).toEqual([
      {
        policyVersion: bundle.version,
        catalogVersion: catalog.version,
        endpointId: catalog.endpoints[3]?.id,
        compiled: { allowed: true, errored: false, policyIds: ['base.grant'] },
        authority: { allowed: false, errored: false, policyIds: ['base.no-training'] },
      },
    ]);
    expect(decider.evaluator).toBe('cedar-wasm');
    // Another decider of the same version does not start over with trust.
    const next = new Decider(bundle, catalog, options);
    expect([next.evaluator, names(ask(next)).includes('p3'), told.length]).toEqual([
      'cedar-wasm',
      false,
      1,
    ]);
  });

  it('also finds a difference that shows late, by the sample', () => {
    const bundle = bundleOf('late', 'when { context.purpose == "late" }');
    const wrong = compiled(bundle, ['own.late']);
    const told: Mismatch[] = [];
    const decider = new Decider(bundle, catalog, {
      compiled: wrong,
      onMismatch: (m) => told.push(m),
    });
    // The first answers are all checked, and here they are right.
    ask(decider);
    expect(told).toEqual([]);
    for (let at = 0; told.length === 0 && at < 2 * SHADOW_ONE_IN; at += 1) {
      ask(decider, facts({ purpose: 'late', subjectRegions: [`Y${at}`] }));
    }
    expect(told).toHaveLength(1);
    expect(names(ask(decider, facts({ purpose: 'late' })))).toEqual([]);
  });

  it('leaves to cedar-wasm a set with an operator that the compiled form lacks', () => {
    const bundle = shippedBundle();
    const id = 'own.decimal';
    const condition =
      'when { decimal("1.0").lessThan(decimal("2.0")) && resource.contract == "x" }';
    const text = policyText(id, 'platform', `forbid ${ANYBODY}`, condition);
    const odd = { ...bundle, version: 'sha256:odd', policies: { ...bundle.policies, [id]: text } };
    const decider = new Decider(odd, catalog);
    expect(decider.evaluator).toBe('cedar-wasm');
    expect(names(ask(decider))).toEqual(providers.filter((p) => p !== 'p3'));
  });

  it('leaves to cedar-wasm a fact that is no value of Cedar’s, and so denies', () => {
    const bundle = bundleOf(
      'half',
      'when { resource has retentionDays && resource.retentionDays > 5 }',
    );
    const odd = sampleCatalog(
      [provider('half', { trainsOnApiData: false, retentionDays: 0.5 })],
      [model('a/b')],
      [{ providerId: 'half', modelId: 'a/b' }],
    );
    const decider = new Decider(bundle, odd);
    const input = { profile: PROFILE, facts: facts(), endpoints: odd.endpoints, nowMs: NOW_MS };
    expect(decider.decide(input)).toMatchObject({
      permitted: [],
      excluded: [{ code: 'evaluation-error', policyIds: [] }],
    });
  });

  it('judges again with cedar-wasm alone where trust is lost while another decision waits', async () => {
    const bundle = bundleOf('shared', 'when { resource in Custos::Provider::"p1" }');
    const wrong = compiled(bundle, ['base.no-training']);
    const decider = new Decider(bundle, catalog, { compiled: wrong });
    const input = { profile: PROFILE, endpoints: catalog.endpoints, nowMs: NOW_MS };
    const both = await Promise.all([
      decider.decideYielding({ ...input, facts: facts() }),
      decider.decideYielding({ ...input, facts: facts({ dataClass: 'confidential' }) }),
    ]);
    const expected = providers.filter((id) => id !== 'p1' && id !== 'p3');
    expect(both.map(names)).toEqual([expected, expected]);
  });
});

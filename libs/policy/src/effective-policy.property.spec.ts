// Promise G4 over the whole real catalog: whatever layer is added to the law, it only narrows what was left.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { loadCatalog } from '#libs/catalog';

import { buildBundle } from './build-bundle.js';
import { createDecider } from './decider.js';
import type { Decider } from './decider.js';
import { effectivePolicy } from './effective-policy.js';
import { facts, NOW_MS, PROFILE } from './sample-catalog.spec-support.js';
import { shippedBundle, shippedSources } from './shipped-policies.spec-support.js';
import { POLICY_LAYERS } from './types.js';
import type { PolicyLayer, PrincipalProfile, RequestFacts } from './types.js';

const DATA = join(import.meta.dirname, '../../catalog/data');
const catalog = loadCatalog((name) => readFileSync(join(DATA, name), 'utf8'));
const shipped = shippedBundle();

/** Rules of an organisation, a workspace and a key, of many kinds: what a customer might write. */
const CONDITIONS = [
  'resource.provider == Custos::Provider::"openai"',
  'resource in Custos::Provider::"azure"',
  'if resource has regions then resource.regions.isEmpty() || !["EEA"].containsAll(resource.regions) else true',
  'resource.model has originCountry && resource.model.originCountry == "CN"',
  'context.tags.contains("personal") && !(resource has zdr && resource.zdr)',
  'context.dataClass == "confidential" && !(resource has pinned && resource.pinned)',
  'resource.contract != "default"',
] as const;

const WHOM = {
  organisation: `principal in Custos::Organisation::"${PROFILE.organisationId}"`,
  workspace: `principal in Custos::Workspace::"${PROFILE.workspaceId}"`,
  key: `principal == Custos::Key::"${PROFILE.keyId}"`,
} as const;

const ruleText = (layer: keyof typeof WHOM, condition: string, n: number): string => `
@id("spec.${layer}-${n}") @layer("${layer}") @law("house rule") @reason("a rule of the spec")
forbid (${WHOM[layer]}, action == Custos::Action::"sendPrompt", resource) when { ${condition} };`;

/** One decider per prefix of the layers, outermost first. */
function ladder(rules: readonly string[]): readonly { layer: PolicyLayer; decider: Decider }[] {
  const all = shippedBundle({ 'spec.cedar': rules.join('\n') });
  return POLICY_LAYERS.map((layer, depth) => {
    const within = new Set<PolicyLayer>(POLICY_LAYERS.slice(0, depth + 1));
    const policies = Object.fromEntries(
      Object.entries(all.policies).filter(([id]) => within.has(all.citations[id]!.layer)),
    );
    const built = buildBundle({ policies, schema: shippedSources.schema });
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    return { layer, decider: createDecider(built.bundle, catalog) };
  });
}

const allowedBy = (decider: Decider, profile: PrincipalProfile, asked: RequestFacts): Set<number> =>
  new Set(
    decider
      .decide({ profile, facts: asked, endpoints: catalog.endpoints, nowMs: NOW_MS })
      .permitted.map((e) => e.ordinal),
  );

const asked = fc.record({
  dataClass: fc.constantFrom('public', 'internal', 'confidential', 'secret'),
  dataTags: fc.subarray(['cn-important', 'personal', 'phi', 'us-bulk-sensitive']),
  subjectRegions: fc.subarray(['EEA', 'US', 'CN']),
  want: fc.record({
    zdr: fc.boolean(),
    denyDataCollection: fc.boolean(),
    confidential: fc.constant(false),
  }),
});
const rules = fc
  .array(fc.tuple(fc.constantFrom('organisation', 'workspace', 'key'), fc.nat(6)), {
    minLength: 1,
    maxLength: 4,
  })
  .map((drawn) => drawn.map(([layer, n], at) => ruleText(layer, CONDITIONS[n]!, at)));

describe('layers of the law', () => {
  it('each narrows what those before it left, over the whole catalog', () => {
    let narrowed = 0;
    fc.assert(
      fc.property(rules, fc.array(asked, { minLength: 2, maxLength: 2 }), (drawn, requests) => {
        const steps = ladder(drawn);
        for (const request of requests) {
          let parent = new Set(catalog.endpoints.map((e) => e.ordinal));
          for (const { layer, decider } of steps) {
            const child = allowedBy(decider, PROFILE, facts(request));
            expect([layer, child.difference(parent).size]).toEqual([layer, 0]);
            if (child.size < parent.size) narrowed += 1;
            parent = child;
          }
        }
      }),
      { numRuns: 5, endOnFailure: true },
    );
    // The property would hold as well if no layer ever did anything.
    expect(narrowed).toBeGreaterThan(10);
  }, 120_000);

  it('leave a principal the same with the rules alone that can bind it', () => {
    const profiles = [
      PROFILE,
      { ...PROFILE, organisationId: 'starter-eu-bank' },
      { ...PROFILE, organisationId: 'starter-us-agency' },
    ];
    for (const profile of profiles) {
      const effective = effectivePolicy(shipped, profile);
      const texts = effective.flatMap((l) => l.policies.map((p) => [p.id, p.text] as const));
      expect(texts.length).toBeLessThan(Object.keys(shipped.policies).length);
      const built = buildBundle({
        policies: Object.fromEntries(texts),
        schema: shippedSources.schema,
      });
      if (!built.ok) throw new Error(JSON.stringify(built.faults));
      const [whole, own] = [createDecider(shipped, catalog), createDecider(built.bundle, catalog)];
      for (const tags of [[], ['personal'], ['phi']]) {
        const request = facts({ dataTags: tags });
        expect(allowedBy(own, profile, request)).toEqual(allowedBy(whole, profile, request));
      }
    }
  }, 120_000);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { loadCatalog, settleFacts } from '#libs/catalog';

import { buildBundle } from './build-bundle.js';
import { Decider } from './decider.js';
import { facts, NOW_MS, PROFILE } from './sample-catalog.spec-support.js';
import { shippedBundle, shippedSources } from './shipped-policies.spec-support.js';
import type { PrincipalProfile, RequestFacts, RequestWants } from './types.js';

const DATA = join(import.meta.dirname, '../../catalog/data');
const catalog = loadCatalog((name) => readFileSync(join(DATA, name), 'utf8'));
const decider = new Decider(shippedBundle(), catalog);

const permitted = (request: RequestFacts, profile: PrincipalProfile = PROFILE): Set<number> => {
  const input = { profile, facts: request, endpoints: catalog.endpoints, nowMs: NOW_MS };
  return new Set(decider.decide(input).permitted.map((e) => e.ordinal));
};

/** Ordinals of `child` that `parent` does not hold. */
const widened = (child: Set<number>, parent: Set<number>): number[] => [
  ...child.difference(parent),
];

describe('the shipped policies over the built-in catalog', () => {
  it.each(['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5', 'google/gemini-2.5-flash'])(
    'leave %s several providers for internal data, so that fail-over has somewhere to go',
    (id) => {
      const endpoints = catalog.endpointsOf(catalog.resolveModel(id)?.id ?? '');
      const decision = decider.decide({
        profile: PROFILE,
        facts: facts(),
        endpoints,
        nowMs: NOW_MS,
      });
      expect(new Set(decision.permitted.map((e) => e.providerId)).size).toBeGreaterThan(1);
    },
  );

  it('leave internal data only to providers of whom it is established that they do not train', () => {
    const training = [...permitted(facts())].map((ordinal) => {
      const endpoint = catalog.endpoints[ordinal]!;
      const { facts: stated } = catalog.providers.get(endpoint.providerId)!;
      return settleFacts(stated, endpoint, NOW_MS).trainsOnApiData?.value;
    });
    expect(new Set(training)).toEqual(new Set([false]));
  });

  it('leave the default organisation what the platform alone leaves it', () => {
    const sources = Object.entries(shippedSources.policies);
    const houseOnly = sources.filter(([file]) => !file.startsWith('packs/'));
    const built = buildBundle({ ...shippedSources, policies: Object.fromEntries(houseOnly) });
    if (!built.ok) throw new Error(JSON.stringify(built.faults));
    const profile = { ...PROFILE, sector: 'general', jurisdiction: 'EEA' };
    const asked = { profile, facts: facts(), endpoints: catalog.endpoints, nowMs: NOW_MS };
    const without = new Decider(built.bundle, catalog).decide(asked).permitted;
    expect(permitted(facts(), profile)).toEqual(new Set(without.map((e) => e.ordinal)));
    expect(without.map((e) => String(e.id))).toContain('openai:gpt-4o-mini:global:default');
  });

  it('open the EU profile of a host for personal data once its operator recorded what is missing', () => {
    const asked = facts({ dataTags: ['personal'], subjectRegions: ['EEA'] });
    expect(permitted(asked)).toEqual(new Set());
    const evidence = { class: 'contract', sources: ['order form'], readOn: '2026-11-21' };
    const recorded = [
      { fact: 'operatorAccess', value: ['IE'], expiresOn: '2027-01-31' },
      { fact: 'storageRegions', value: ['DE'], expiresOn: '2027-11-21' },
      { fact: 'contractTerms', value: ['dpa'], expiresOn: '2027-11-21' },
    ].map((row) => JSON.stringify({ provider: 'amazon-bedrock', ...row, ...evidence }));
    const own = loadCatalog((name) => {
      const text = readFileSync(join(DATA, name), 'utf8');
      return name === 'facts.jsonl' ? `${text}${recorded.join('\n')}\n` : text;
    });
    const over = (nowMs: number): Set<string> => {
      const input = { profile: PROFILE, facts: asked, endpoints: own.endpoints, nowMs };
      const decided = new Decider(shippedBundle(), own).decide(input).permitted;
      return new Set(decided.map((e) => `${e.providerId}/${e.region}`));
    };
    expect(over(NOW_MS)).toEqual(new Set(['amazon-bedrock/eu']));
    expect(over(Date.parse('2027-02-01'))).toEqual(new Set());
  });

  it('leave nothing but public data once the facts have expired', () => {
    const nowMs = Date.parse('2100-01-01');
    const ask = (dataClass: 'public' | 'internal'): number =>
      decider.decide({
        profile: PROFILE,
        facts: facts({ dataClass }),
        endpoints: catalog.endpoints,
        nowMs,
      }).permitted.length;
    expect([ask('public'), ask('internal')]).toEqual([catalog.endpoints.length, 0]);
  });

  it('only narrow, whatever is added: a class, a tag, an organisation, a want', () => {
    const classes = ['public', 'internal', 'confidential', 'secret'] as const;
    const wants = fc.record<Partial<RequestWants>>(
      {
        zdr: fc.constant(true),
        denyDataCollection: fc.constant(true),
        confidential: fc.constant(true),
        only: fc.subarray(['amazon-bedrock', 'azure', 'mistral', 'openai'], { minLength: 1 }),
        ignore: fc.subarray(['azure', 'amazon-bedrock/eu', 'openrouter']),
        regions: fc.subarray(['eu', 'us', 'cn'], { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    const organisation = fc.constantFrom(
      'starter-cn-enterprise',
      'starter-eu-bank',
      'starter-us-agency',
      'starter-us-hospital',
    );
    const tags = fc.subarray([
      'ai-annex-iii',
      'cn-important',
      'customer-financial',
      'federal-low',
      'in-payment',
      'itar',
      'kr-credit',
      'personal',
      'phi',
      'special-category',
      'us-bulk-sensitive',
    ]);
    fc.assert(
      fc.property(
        fc.nat(3),
        fc.nat(3),
        tags,
        tags,
        organisation,
        wants,
        (lower, raise, some, more, organisationId, want) => {
          const dataTags = some;
          const dataClass = classes[lower] ?? 'secret';
          const parent = permitted(facts({ dataClass, dataTags }));
          const higher = classes[Math.min(3, lower + raise)] ?? 'secret';
          const both = [...new Set([...some, ...more])].toSorted();
          const child = { ...PROFILE, organisationId };
          expect(widened(permitted(facts({ dataClass: higher, dataTags })), parent)).toEqual([]);
          expect(widened(permitted(facts({ dataClass, dataTags: both })), parent)).toEqual([]);
          expect(widened(permitted(facts({ dataClass, dataTags }), child), parent)).toEqual([]);
          expect(widened(permitted(facts({ dataClass, dataTags, want })), parent)).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
  });
});

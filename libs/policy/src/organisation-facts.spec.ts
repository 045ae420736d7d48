import { describe, expect, it } from '@jest/globals';

import { decodeFacts, encodeFacts, FactsDirectory, factsSnapshot } from '#libs/catalog';
import type { CustomerFact, OrganisationFacts } from '#libs/catalog';

import { Decider } from './decider.js';
import { endpointFacts } from './endpoint-facts.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { RequestFacts } from './types.js';

const catalog = sampleCatalog(
  [
    provider('signed', { trainsOnApiData: false, retentionDays: 30 }),
    provider('other', { trainsOnApiData: false }),
  ],
  [model('lab/one')],
  [
    { providerId: 'signed', modelId: 'lab/one' },
    { providerId: 'signed', modelId: 'lab/one', contract: 'subscription' },
    { providerId: 'other', modelId: 'lab/one' },
  ],
);

const baa = (over: Partial<CustomerFact> = {}): CustomerFact => ({
  id: 'fact-1',
  organisationId: 'hospital',
  provider: 'signed',
  scope: {},
  fact: 'baaSigned',
  value: true,
  evidence: {
    documentSha256: 'a'.repeat(64),
    title: 'BAA of 2026',
    class: 'contract',
    validFrom: '2026-11-21T13:00:00Z',
    expiresOn: '2026-11-22T12:00:00Z',
  },
  ...over,
});
const own = (...all: CustomerFact[]): OrganisationFacts =>
  new FactsDirectory(factsSnapshot(all)).of('hospital')!;

const PHI: RequestFacts = facts({ dataTags: ['phi'] });
const decider = new Decider(shippedBundle(), catalog);
const decide = (organisationFacts: OrganisationFacts | undefined, nowMs: number) =>
  decider.decide({
    profile: PROFILE,
    facts: PHI,
    endpoints: catalog.endpoints,
    nowMs,
    organisationFacts,
  });
const names = (organisationFacts: OrganisationFacts | undefined, nowMs: number): string[] =>
  decide(organisationFacts, nowMs).permitted.map((e) => e.id);

const SIGNED = 'signed~lab~one~global~default';
const VALID = Date.parse('2026-11-21T13:00:00Z');
const EXPIRED = Date.parse('2026-11-22T12:00:00Z');

describe('facts of an organisation', () => {
  it('admit the endpoint that the contract covers, from its day until it expires, for nobody else', () => {
    const hospital = own(baa());
    expect(names(undefined, VALID)).toEqual([]);
    expect(names(hospital, VALID - 1)).toEqual([]);
    expect(names(hospital, VALID)).toEqual([SIGNED]);
    expect(names(undefined, VALID)).toEqual([]);
    expect(names(hospital, EXPIRED - 1)).toEqual([SIGNED]);
    expect(names(hospital, EXPIRED)).toEqual([]);
    expect(names(hospital, VALID)).toEqual([SIGNED]);
  });

  it('stay apart in both evaluators, also while decisions of two organisations take turns', async () => {
    const hospital = own(baa());
    const clinic = new FactsDirectory(
      factsSnapshot([baa({ organisationId: 'clinic', provider: 'other' })]),
    ).of('clinic');
    const text = policyText(
      'own.odd',
      'platform',
      `forbid ${ANYBODY}`,
      'when { decimal("2.0").lessThan(decimal("1.0")) && resource.contract == "x" }',
    );
    const bundle = shippedBundle();
    const uncompiled = { ...bundle, policies: { ...bundle.policies, 'own.odd': text } };
    const both = [
      new Decider(bundle, catalog),
      new Decider({ ...uncompiled, version: 'sha256:apart' }, catalog),
    ];
    expect(both.map((d) => d.evaluator)).toEqual(['compiled', 'cedar-wasm']);
    for (const asked of both) {
      const ask = (organisationFacts: OrganisationFacts | undefined) =>
        asked.decideYielding({
          profile: PROFILE,
          facts: PHI,
          endpoints: catalog.endpoints,
          nowMs: VALID,
          organisationFacts,
        });
      const answers = await Promise.all([ask(hospital), ask(clinic), ask(undefined)]);
      expect(answers.map((d) => d.permitted.map((e) => e.providerId))).toEqual([
        ['signed'],
        ['other'],
        [],
      ]);
    }
    // No difference between the two was found on the way.
    expect(both[0]?.evaluator).toBe('compiled');
  });

  it('bound the decision by the nearest instant at which a fact that is read begins or ends', () => {
    const hospital = own(baa());
    expect(decide(hospital, NOW_MS).validUntilMs).toBe(VALID);
    expect(decide(hospital, VALID).validUntilMs).toBe(EXPIRED);
    const unread = own(baa({ fact: 'retentionDays', value: 0 }));
    const asked = { profile: PROFILE, facts: facts({ dataClass: 'public' }), nowMs: VALID };
    const decision = decider.decide({
      ...asked,
      endpoints: catalog.endpoints.slice(0, 1),
      organisationFacts: unread,
    });
    expect(decision.validUntilMs).not.toBe(EXPIRED);
  });

  it('count as a contract where a rule asks for a class of evidence', () => {
    const demanding = shippedBundle({
      own: policyText(
        'own.contract',
        'platform',
        `forbid ${ANYBODY}`,
        'unless { resource.evidence.training >= 2 }',
      ),
    });
    const over = new Decider(demanding, catalog);
    const ask = (organisationFacts?: OrganisationFacts): number =>
      over.decide({
        profile: PROFILE,
        facts: facts(),
        endpoints: catalog.endpoints,
        nowMs: VALID,
        organisationFacts,
      }).permitted.length;
    expect(ask()).toBe(0);
    expect(ask(own(baa({ fact: 'trainsOnApiData', value: false })))).toBe(1);
  });

  it('come back from the wire as they went, and not otherwise', () => {
    const snapshot = factsSnapshot([baa(), baa({ id: 'fact-0' })]);
    const wire: unknown = JSON.parse(encodeFacts(snapshot));
    expect(decodeFacts(wire)).toEqual(snapshot);
    const forged = { ...snapshot, facts: [baa({ organisationId: 'another' })] };
    expect(() => decodeFacts(forged)).toThrow(expect.objectContaining({ code: 'facts-invalid' }));
    for (const wrong of [baa({ value: 'yes' }), baa({ fact: 'hqCountry' as never, value: 'US' })])
      expect(() => decodeFacts(factsSnapshot([wrong]))).toThrow(
        expect.objectContaining({ code: 'facts-invalid' }),
      );
  });
});

describe('facts of a model', () => {
  it('are unknown from the day on which their evidence expires', () => {
    const origin = model('a/b', { originCountry: 'CN' });
    const over = sampleCatalog([], [origin], [{ providerId: 'p', modelId: 'a/b' }]);
    const at = (nowMs: number) => endpointFacts(over.endpoints[0]!, over, nowMs).originCountry;
    expect(at(NOW_MS)).toBe('CN');
    expect(at(Date.parse('2027-02-22'))).toBeUndefined();
  });
});

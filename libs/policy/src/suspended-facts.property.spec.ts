// Why one person may suspend a fact and a second one must let it go: what a suspended fact was about is unknown, and no
// shipped rule admits more on the unknown than on the fact, or than on what holds without it. Letting go may admit more.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CUSTOMER_FACT_NAMES, organisationFacts, type CustomerFact } from '#libs/catalog';

import { Decider } from './decider.js';
import { facts, model, NOW_MS, provider, sampleCatalog } from './sample-catalog.spec-support.js';
import { shippedBundle } from './shipped-policies.spec-support.js';
import type { DataClass, PrincipalProfile, RequestFacts } from './types.js';

const TERMS = ['dpa', 'safeguards', 'register-entry', 'exit-plan', 'encryption-at-rest'];
const TOOLS = ['dpf', 'scc+tia', 'adequacy', 'uk-us-bridge', 'cn-standard-contract', 'br-scc'];
const PLACES = ['DE', 'EEA', 'US', 'CN', 'GB', 'worldwide'];

/** Values of every fact that a customer can state, the good ones and the bad. */
const VALUES: Readonly<
  Record<(typeof CUSTOMER_FACT_NAMES)[number], fc.Arbitrary<CustomerFact['value']>>
> = {
  baaSigned: fc.boolean(),
  confidentialLevel: fc.integer({ min: 0, max: 4 }),
  contractTerms: fc.subarray(TERMS),
  exportControl: fc.subarray(['us-persons-only']),
  operatorAccess: fc.subarray(PLACES),
  pinned: fc.boolean(),
  processingRegions: fc.subarray(PLACES),
  retentionDays: fc.constantFrom(0, 30),
  storageRegions: fc.subarray(PLACES),
  subProcessors: fc.subarray(['other', 'open']),
  trainsOnApiData: fc.constantFrom<boolean | string>(true, false, 'opt-out'),
  transferTools: fc.subarray(TOOLS),
  zdr: fc.constantFrom('default', 'contracted', 'none', 'approval'),
};

const settled = {
  trainsOnApiData: false,
  processingRegions: ['DE'],
  pinned: true,
  storageRegions: ['DE'],
  operatorAccess: ['DE'],
  hqCountry: 'US',
  controlledFrom: ['US'],
  zdr: 'default' as const,
  transferTools: ['dpf', 'scc+tia'],
  contractTerms: ['dpa'],
  baaSigned: true,
};
const catalog = sampleCatalog(
  [provider('open', settled), provider('half', { trainsOnApiData: false }), provider('bare')],
  [model('lab/one', { originCountry: 'CN', openWeights: true }), model('lab/two')],
  ['open', 'half', 'bare'].flatMap((providerId) =>
    ['lab/one', 'lab/two'].map((modelId) => ({ providerId, modelId })),
  ),
);

const fact: fc.Arbitrary<CustomerFact> = fc
  .constantFrom(...CUSTOMER_FACT_NAMES)
  .chain((name) =>
    fc.record({
      name: fc.constant(name),
      value: VALUES[name],
      provider: fc.constantFrom('open', 'half', 'bare'),
      model: fc.constantFrom(undefined, 'lab/one', 'lab/*'),
    }),
  )
  .map(({ name, value, provider: of, model: about }) => ({
    id: `fact-${name}`,
    organisationId: 'org-default',
    provider: of,
    scope: about === undefined ? {} : { model: about },
    fact: name,
    value,
    evidence: {
      documentSha256: 'a'.repeat(64),
      title: 'a contract',
      class: 'contract',
      validFrom: '2026-01-01',
      expiresOn: '2027-01-01',
    },
  }));

const tags = ['personal', 'phi', 'us-bulk-sensitive', 'customer-financial', 'cn-important'];
/** Mostly none or one: where many rules meet, nothing is permitted whatever a fact says. */
const few = (words: readonly string[]): fc.Arbitrary<string[]> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<string[]>([]) },
    { weight: 4, arbitrary: fc.constantFrom(...words).map((word) => [word]) },
    { weight: 1, arbitrary: fc.subarray([...words]) },
  );
const request: fc.Arbitrary<RequestFacts> = fc
  .record({
    dataClass: fc.constantFrom<DataClass>('public', 'internal', 'confidential', 'secret'),
    dataTags: few([...tags, 'special-category', 'dora-critical', 'federal-high', 'itar']),
    subjectRegions: few(['EEA', 'US', 'GB', 'CN', 'CH', 'BR', 'JP', 'KR', 'IN']),
    want: fc.record(
      { zdr: fc.boolean(), denyDataCollection: fc.boolean(), regions: fc.subarray(['eu', 'us']) },
      { requiredKeys: [] },
    ),
  })
  .map((r) => facts({ ...r, dataTags: r.dataTags.toSorted(), subjectRegions: r.subjectRegions }));
const profile: fc.Arbitrary<PrincipalProfile> = fc.record({
  organisationId: fc.constantFrom(
    'org-default',
    'starter-eu-bank',
    'starter-us-hospital',
    'starter-us-agency',
    'starter-cn-enterprise',
  ),
  workspaceId: fc.constant('ws'),
  keyId: fc.constant('key'),
  sector: fc.constantFrom('general', 'bank', 'health', 'government'),
  jurisdiction: fc.constantFrom('EEA', 'US', 'CN', 'GB'),
  environment: fc.constant('production'),
});

describe('a suspended fact', () => {
  const decider = new Decider(shippedBundle(), catalog);
  const permitted = (
    asked: { profile: PrincipalProfile; facts: RequestFacts },
    own: readonly CustomerFact[],
  ): ReadonlySet<string> => {
    const organisation = own.length === 0 ? undefined : organisationFacts(own);
    const input = { ...asked, endpoints: catalog.endpoints, nowMs: NOW_MS };
    const { permitted: those } = decider.decide({ ...input, organisationFacts: organisation });
    return new Set(those.map((e) => e.id));
  };

  it('admits no more than the fact did, nor than its absence, among any others', () => {
    let narrowed = 0;
    let reopened = 0;
    fc.assert(
      fc.property(
        fact,
        fc.array(fact, { maxLength: 3 }),
        profile,
        request,
        (one, more, who, of) => {
          const others = more.filter((m) => m.id !== one.id);
          const asked = { profile: who, facts: of };
          const inForce = permitted(asked, [...others, one]);
          const suspended = permitted(asked, [...others, { ...one, suspended: true }]);
          const gone = permitted(asked, others);
          expect([...suspended].filter((id) => !inForce.has(id))).toEqual([]);
          expect([...suspended].filter((id) => !gone.has(id))).toEqual([]);
          if (suspended.size < inForce.size) narrowed += 1;
          if (gone.size > inForce.size) reopened += 1;
        },
      ),
      { numRuns: 4_000 },
    );
    // Neither is empty talk: facts do admit, and letting one go can admit what it had shut.
    expect(narrowed).toBeGreaterThan(0);
    expect(reopened).toBeGreaterThan(0);
  }, 120_000);
});

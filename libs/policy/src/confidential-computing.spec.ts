import { describe, expect, it } from '@jest/globals';
import { customerStatement, organisationFacts, type CustomerFact } from '#libs/catalog';

import { createDecider } from './decider.js';
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
  ['enclave', 'plain'].map((id) => provider(id, { trainsOnApiData: false })),
  [model('lab/one')],
  ['enclave', 'plain'].map((providerId) => ({ providerId, modelId: 'lab/one' })),
);
const stated = (fact: CustomerFact['fact'], value: CustomerFact['value']): CustomerFact => ({
  id: `fact-${fact}`,
  organisationId: PROFILE.organisationId,
  provider: 'enclave',
  scope: {},
  fact,
  value,
  evidence: {
    documentSha256: 'e'.repeat(64),
    title: 'annex on confidential computing',
    class: 'contract',
    validFrom: '2026-01-01',
    expiresOn: '2027-01-01',
  },
});
const rule = (unless: string) =>
  shippedBundle({
    own: policyText('own.rule', 'platform', `forbid ${ANYBODY}`, `unless { ${unless} }`),
  });
const permitted = (unless: string, own?: CustomerFact, asked: RequestFacts = facts()): string[] =>
  createDecider(rule(unless), catalog)
    .decide({
      profile: PROFILE,
      facts: asked,
      endpoints: catalog.endpoints,
      nowMs: NOW_MS,
      ...(own && { organisationFacts: organisationFacts([own]) }),
    })
    .permitted.map((e) => e.providerId);

const BY_CONTRACT = `resource has confidentialComputing &&
  resource.confidentialComputing.level >= 3 && resource.confidentialComputing.evidence >= 2`;

describe('what a customer’s contract says of confidential computing and of sub-processors', () => {
  it('can be asked for by its level and its evidence, and is unknown where nobody stated it', () => {
    expect(permitted(BY_CONTRACT)).toEqual([]);
    expect(permitted(BY_CONTRACT, stated('confidentialLevel', 3))).toEqual(['enclave']);
    expect(permitted(BY_CONTRACT, stated('confidentialLevel', 2))).toEqual([]);
    const suspended = { ...stated('confidentialLevel', 3), suspended: true as const };
    expect(permitted(BY_CONTRACT, suspended)).toEqual([]);
  });

  it('is no attestation: neither the shipped rules nor a statement take it for one', () => {
    const attested = BY_CONTRACT.replace('evidence >= 2', 'evidence >= 4');
    expect(permitted(attested, stated('confidentialLevel', 4))).toEqual([]);
    for (const asked of [facts({ want: { confidential: true } }), facts({ dataClass: 'secret' })])
      expect(
        permitted('resource.contract == "default"', stated('confidentialLevel', 4), asked),
      ).toEqual([]);
    const { id: _, organisationId: __, ...statement } = stated('confidentialLevel', 4);
    expect(customerStatement.safeParse(statement).success).toBe(true);
    const claimed = { ...statement, evidence: { ...statement.evidence, class: 'attested' } };
    expect(customerStatement.safeParse(claimed).success).toBe(false);
    expect(customerStatement.safeParse({ ...statement, value: 5 }).success).toBe(false);
  });

  it('lists sub-processors with the class of the document', () => {
    const approved = `resource has subProcessors && resource.evidence.subProcessors >= 2 &&
      ["plain", "other"].containsAll(resource.subProcessors)`;
    const guarded = `resource has subProcessors && resource.subProcessors.isEmpty() || (${approved} && !resource.subProcessors.isEmpty())`;
    expect(permitted(guarded)).toEqual([]);
    expect(permitted(guarded, stated('subProcessors', ['plain']))).toEqual(['enclave']);
    expect(permitted(guarded, stated('subProcessors', []))).toEqual(['enclave']);
    expect(permitted(guarded, stated('subProcessors', ['unheard-of']))).toEqual([]);
  });
});

import { describe, expect, it } from '@jest/globals';

import type { Evidence, ProviderFacts } from '#libs/catalog';

import { offerFacts } from './endpoint-facts.js';
import { endpointEntities } from './entities.js';
import { EndpointClasses } from './endpoint-classes.js';
import { NOW_MS, provider, sampleCatalog } from './sample-catalog.spec-support.js';

const evidence = (over: Partial<Evidence> = {}): Evidence => ({
  class: 'contract',
  source: 'order form 7',
  readOn: '2026-01-01',
  expiresOn: '2026-11-21',
  ...over,
});

const read = (facts: Partial<ProviderFacts>, nowMs = NOW_MS, region = 'eu') =>
  offerFacts(
    { providerId: 'host', region, contract: 'default' },
    provider('host', facts, { eu: { processingRegions: ['EEA'], pinned: true } }),
    nowMs,
  );

const attributes = (facts: Partial<ProviderFacts>): Record<string, unknown> => {
  const known = { endpointId: 'e', modelId: 'm', ...read(facts) };
  return endpointEntities(known)[0]?.attrs ?? {};
};

describe('facts with evidence', () => {
  it('are asserted where nothing better is said, and at 0 where nothing is known', () => {
    expect(read({ retentionDays: 0 }).evidence).toEqual({ place: 1, retention: 1 });
    expect(attributes({ retentionDays: 0 })['evidence']).toMatchObject({
      retention: 1,
      storage: 0,
      contract: 0,
    });
  });

  it('carry the level of their class', () => {
    const levels = (['asserted', 'contract', 'api-verified', 'attested'] as const).map(
      (name) =>
        read({ zdr: 'default', evidence: { retention: evidence({ class: name }) } }).evidence,
    );
    expect(levels.map((l) => l?.retention)).toEqual([1, 2, 3, 4]);
  });

  it('are unknown from the day after their own evidence expires', () => {
    const stated = { zdr: 'default', evidence: { retention: evidence() } } as const;
    const expiry = Date.parse('2026-11-22T00:00:00Z');
    expect(read(stated, expiry - 1)).toMatchObject({ zdr: true, evidence: { retention: 2 } });
    const after = read(stated, expiry);
    expect(after).not.toHaveProperty('zdr');
    expect(after.evidence).toEqual({ place: 1 });
  });

  it('of an expired place take the documented region with them', () => {
    const stated = { evidence: { place: evidence({ expiresOn: '2026-11-01' }) } };
    expect(read(stated)).not.toHaveProperty('regions');
    expect(read({})).toMatchObject({ regions: ['EEA'], pinned: true });
  });

  it('bound the stretch of time for which a decision holds', () => {
    const host = provider('host', { zdr: 'default', evidence: { retention: evidence() } });
    const classes = new EndpointClasses(sampleCatalog([host], [], []));
    expect(classes.enter(NOW_MS).untilMs).toBe(Date.parse('2026-11-22T00:00:00Z'));
  });

  it('of the contract are read from the catalog', () => {
    const stated = { baaSigned: false, contractTerms: ['DPA'], subProcessors: ['Host-2'] };
    const sets = { transferTools: ['DPF'], exportControl: ['US-persons-only'] };
    expect(attributes({ ...stated, ...sets })).toMatchObject({
      baaSigned: false,
      contractTerms: ['dpa'],
      subProcessors: ['host-2'],
      transferTools: ['dpf'],
      exportControl: ['us-persons-only'],
    });
  });

  it('name places in one spelling, and are unknown where a word names none', () => {
    const stated = { storageRegions: ['de', 'EU'], operatorAccess: ['FR', 'worldwide'] };
    expect(attributes(stated)).toMatchObject({ storageRegions: ['EEA'] });
    expect(attributes(stated)).not.toHaveProperty('operatorAccess');
  });
});

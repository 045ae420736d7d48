import { describe, expect, it } from '@jest/globals';

import type { Evidence, FactStatement } from '#libs/catalog';

import { offerFacts } from './endpoint-facts.js';
import { endpointEntities } from './entities.js';
import { EndpointClasses } from './endpoint-classes.js';
import { NOW_MS, provider, sampleCatalog, stated } from './sample-catalog.spec-support.js';

const CONTRACT: Partial<Evidence> = { class: 'contract', expiresOn: '2026-11-21' };

const region = stated({ processingRegions: ['EEA'], pinned: true }, {}, { region: 'eu' });

const host = (...facts: readonly FactStatement[][]) => ({
  ...provider('host'),
  facts: [...facts.flat(), ...region],
});

const read = (facts: readonly FactStatement[], nowMs = NOW_MS) =>
  offerFacts(
    {
      providerId: 'host',
      modelId: 'a/b',
      region: 'eu',
      contract: 'default',
      dialect: 'openai-chat',
    },
    host([...facts]),
    nowMs,
  );

const attributes = (facts: readonly FactStatement[]): Record<string, unknown> => {
  const known = { endpointId: 'e', modelId: 'm', ...read(facts) };
  return endpointEntities(known)[0]?.attrs ?? {};
};

describe('facts with evidence', () => {
  it('are at the level of what is said, and at 0 where nothing is known', () => {
    expect(read(stated({ retentionDays: 0 })).evidence).toEqual({ place: 1, retention: 1 });
    expect(attributes(stated({ retentionDays: 0 }))['evidence']).toMatchObject({
      retention: 1,
      storage: 0,
      contract: 0,
    });
  });

  it('carry the level of their class', () => {
    const levels = (['asserted', 'contract', 'api-verified', 'attested'] as const).map(
      (name) => read(stated({ zdr: 'default' }, { class: name })).evidence,
    );
    expect(levels.map((l) => l?.retention)).toEqual([1, 2, 3, 4]);
  });

  it('of one group count as the weakest of them', () => {
    const mixed = [...stated({ zdr: 'default' }, CONTRACT), ...stated({ retentionDays: 0 })];
    expect(read(mixed)).toMatchObject({ zdr: true, retentionDays: 0, evidence: { retention: 1 } });
  });

  it('are unknown from the day after their own evidence expires', () => {
    const signed = stated({ zdr: 'default' }, CONTRACT);
    const expiry = Date.parse('2026-11-22T00:00:00Z');
    expect(read(signed, expiry - 1)).toMatchObject({ zdr: true, evidence: { retention: 2 } });
    const after = read(signed, expiry);
    expect(after).not.toHaveProperty('zdr');
    expect(after.evidence).toEqual({ place: 1 });
  });

  it('bound the stretch of time for which a decision holds', () => {
    const catalog = sampleCatalog([host(stated({ zdr: 'default' }, CONTRACT))], [], []);
    const classes = new EndpointClasses(catalog);
    const expiry = Date.parse('2026-11-22T00:00:00Z');
    expect(classes.enter(expiry - 1)).toBe(classes.enter(NOW_MS));
    expect(classes.enter(expiry)).not.toBe(classes.enter(NOW_MS));
  });

  it('of the contract are read from the catalog', () => {
    const contract = { baaSigned: false, contractTerms: ['DPA'], subProcessors: ['Host-2'] };
    const sets = { transferTools: ['DPF'], exportControl: ['US-persons-only'] };
    expect(attributes(stated({ ...contract, ...sets }))).toMatchObject({
      baaSigned: false,
      contractTerms: ['dpa'],
      subProcessors: ['host-2'],
      transferTools: ['dpf'],
      exportControl: ['us-persons-only'],
    });
  });

  it('name places in one spelling, and are unknown where a word names none', () => {
    const places = stated({ storageRegions: ['de', 'EU'], operatorAccess: ['FR', 'worldwide'] });
    expect(attributes(places)).toMatchObject({ storageRegions: ['EEA'] });
    expect(attributes(places)).not.toHaveProperty('operatorAccess');
  });
});

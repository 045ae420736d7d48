import { describe, expect, it } from '@jest/globals';

import { createDecider } from '../decider.js';
import { model, NOW_MS, provider, sampleCatalog } from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import { compareBundles } from './compare-bundles.js';
import { contextClasses } from './context-classes.js';
import { egressOf } from './egress.js';

const catalog = sampleCatalog(
  [
    { ...provider('one'), baseUrl: 'https://api.one.example/v1' },
    { ...provider('two'), baseUrl: 'https://two.example:8443/v1' },
    provider('three'),
  ],
  [model('lab/m')],
  ['one', 'two', 'three'].map((providerId) => ({ providerId, modelId: 'lab/m' })),
);
const forbid = (id: string, body: string, head = ANYBODY): string =>
  policyText(id, 'platform', `forbid ${head}`, body);
const only = (id: string) =>
  forbid('test.only', `unless { resource in [Custos::Provider::"${id}"] }`);

const register = policyText(
  'test.register',
  'organisation',
  'forbid (principal in Custos::Organisation::"ours", action == Custos::Action::"sendPrompt", resource)',
  'unless { resource in [Custos::Provider::"two"] }',
);

describe('context classes', () => {
  it('ask about whom and what the policies name, and about nobody in particular', () => {
    const named = shippedBundle({
      'more.cedar':
        forbid('test.tag', 'when { context.tags.contains("our-tag") }') +
        forbid('test.sector', 'when { principal.organisation.sector == "our-sector" }') +
        register +
        forbid('test.subject', 'when { ["JP"].containsAny(context.subjects) }'),
    });
    const names = contextClasses([named]).map((c) => c.name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining([
        'anybody, internal',
        'anybody, secret',
        'anybody, internal, tags our-tag, subjects JP',
        'sector our-sector, internal, subjects EEA',
        'organisation ours, internal, tags our-tag',
        // One policy asks for both, so neither word alone would meet it.
        'sector bank in EEA, internal, tags dora-critical',
      ]),
    );
    expect(contextClasses([shippedBundle()]).map((c) => c.name)).not.toContain(
      'anybody, internal, tags our-tag',
    );
  });
});

describe('egress', () => {
  it('lists hosts of providers that some context permits, and says of the rest why not', () => {
    const list = egressOf(
      createDecider(
        shippedBundle({
          'more.cedar': forbid('test.not-two', 'when { resource in [Custos::Provider::"two"] }'),
        }),
        catalog,
      ),
      { nowMs: NOW_MS },
    );
    expect(list.hosts).toEqual([{ host: 'api.one.example', port: 443, providers: ['one'] }]);
    expect(list.withoutHost).toEqual(['three']);
    expect(list.closed).toEqual(['two']);
    // Class public goes anywhere that no rule objects to.
    expect(list.providers[0]).toMatchObject({
      id: 'one',
      because: expect.stringContaining('public'),
    });
  });

  it('takes bases of one’s own, with their ports', () => {
    const list = egressOf(createDecider(shippedBundle(), catalog), {
      nowMs: NOW_MS,
      baseUrls: new Map([['three', 'http://proxy.internal:3128/v1']]),
    });
    expect(list.hosts.map((h) => `${h.host}:${h.port}`)).toEqual([
      'api.one.example:443',
      'proxy.internal:3128',
      'two.example:8443',
    ]);
  });

  it('may be asked for one organisation, named by a policy or not', () => {
    const decider = createDecider(shippedBundle({ 'more.cedar': register }), catalog);
    const hosts = (id: string) =>
      egressOf(decider, { nowMs: NOW_MS, organisationIds: [id] }).hosts.map((h) => h.host);
    expect(hosts('ours')).toEqual(['two.example']);
    expect(hosts('another')).toEqual(['api.one.example', 'two.example']);
  });
});

describe('two bundles', () => {
  const base = createDecider(shippedBundle(), catalog);

  it('that are the same differ nowhere', () => {
    expect(compareBundles(base, base, NOW_MS)).toMatchObject({
      differing: 0,
      inContexts: [],
      policies: { added: [], removed: [], changed: [] },
    });
  });

  it('differ where a rule was added, and it is named', () => {
    const tighter = createDecider(shippedBundle({ 'more.cedar': only('one') }), catalog);
    const there = compareBundles(base, tighter, NOW_MS);
    expect(there.policies.added).toEqual(['test.only']);
    expect(there.byRule).toMatchObject([{ id: 'test.only', newlyAllowed: 0 }]);
    expect(there.inContexts.find((c) => c.context === 'anybody, public')).toEqual({
      context: 'anybody, public',
      newlyRefused: 2,
      newlyAllowed: 0,
      left: 1,
      rules: ['test.only'],
    });
    const back = compareBundles(tighter, base, NOW_MS);
    expect(back.policies.removed).toEqual(['test.only']);
    expect(back.differing).toBe(there.differing);
    expect(back.byRule).toMatchObject([{ id: 'test.only', newlyRefused: 0 }]);
  });
});

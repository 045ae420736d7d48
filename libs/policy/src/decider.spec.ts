import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Catalog, Endpoint } from '#libs/catalog';
import { DomainError } from '#libs/kernel';

import { ParsedSet } from './cedar.js';
import { Decider, TIMED_DECISION_TTL_MS } from './decider.js';
import { endpointFacts } from './endpoint-facts.js';
import { contextOf, endpointEntities, endpointUid, keyUid, principalEntities } from './entities.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { DataClass, Decision, PolicyBundle, RequestFacts } from './types.js';

const catalog = sampleCatalog(
  [
    provider('openai', { trainsOnApiData: false, hqCountry: 'US', retentionDays: 30 }),
    provider(
      'azure',
      {
        trainsOnApiData: false,
        hqCountry: 'US',
        processingRegions: ['US', 'EEA'],
        pinned: false,
      },
      { eu: { processingRegions: ['EEA'], pinned: true } },
    ),
    provider(
      'amazon-bedrock',
      {
        trainsOnApiData: false,
        processingRegions: ['US', 'EEA', 'APAC'],
        pinned: true,
        retentionDays: 0,
        operatorAccess: ['DE', 'IE'],
        contractTerms: ['dpa'],
        expiresOn: '2026-12-01',
      },
      {
        eu: { processingRegions: ['EEA'], pinned: true },
        jp: { processingRegions: ['JP'], pinned: true },
      },
    ),
    provider('groq', { trainsOnApiData: false, retentionDays: 0, zdr: 'default' }),
    provider('deepseek', { trainsOnApiData: true, hqCountry: 'CN', processingRegions: ['CN'] }),
    provider('nobody-read'),
  ],
  [model('openai/gpt', { originCountry: 'US' }), model('deepseek/open', { openWeights: true })],
  [
    { providerId: 'openai', modelId: 'openai/gpt' },
    { providerId: 'azure', modelId: 'openai/gpt' },
    { providerId: 'azure', modelId: 'openai/gpt', region: 'eu' },
    { providerId: 'amazon-bedrock', modelId: 'openai/gpt', region: 'eu' },
    { providerId: 'amazon-bedrock', modelId: 'deepseek/open', region: 'jp' },
    { providerId: 'amazon-bedrock', modelId: 'deepseek/open', region: 'us' },
    { providerId: 'groq', modelId: 'deepseek/open' },
    { providerId: 'deepseek', modelId: 'deepseek/open' },
    { providerId: 'deepseek', modelId: 'deepseek/open', contract: 'subscription' },
    { providerId: 'nobody-read', modelId: 'deepseek/open' },
  ],
);

const decide = (
  bundle: PolicyBundle,
  request: RequestFacts,
  over: Catalog = catalog,
  nowMs = NOW_MS,
): Decision =>
  new Decider(bundle, over).decide({
    profile: PROFILE,
    facts: request,
    endpoints: over.endpoints,
    nowMs,
  });

const names = (d: Decision): string[] => d.permitted.map((e) => `${e.providerId}/${e.region}`);

const ids = (d: Decision): string[] => d.permitted.map((e) => e.id);

describe('Decider', () => {
  const bundle = shippedBundle();

  it('lets internal data go where training is ruled out', () => {
    const d = decide(bundle, facts());
    expect(names(d)).toEqual([
      'openai/global',
      'azure/global',
      'azure/eu',
      'amazon-bedrock/eu',
      'amazon-bedrock/jp',
      'amazon-bedrock/us',
      'groq/global',
    ]);
    expect(d.permittedBy).toEqual(['base.grant']);
    expect(d.excluded).toEqual([
      {
        code: 'forbidden',
        policyIds: ['base.no-training'],
        endpoints: catalog.endpoints.slice(7),
      },
    ]);
  });

  it('lets public data go everywhere', () => {
    expect(decide(bundle, facts({ dataClass: 'public' })).permitted).toHaveLength(10);
  });

  it('keeps personal data of EEA subjects where place, storage, access and contract are known', () => {
    const d = decide(bundle, facts({ dataTags: ['personal'], subjectRegions: ['EEA'] }));
    expect(names(d)).toEqual(['amazon-bedrock/eu']);
    const refused = d.excluded.find((g) => g.endpoints.some((e) => e.region === 'eu'));
    expect(refused?.policyIds).toEqual(['gdpr.access', 'gdpr.processor', 'gdpr.storage']);
  });

  it('reads facts as unknown from the day after they expire', () => {
    const asked = facts({ want: { regions: ['eu'] } });
    const expiry = Date.parse('2026-12-02T00:00:00Z');
    const before = decide(bundle, asked, catalog, expiry - 1);
    expect(names(before)).toContain('amazon-bedrock/eu');
    expect(before.validUntilMs).toBe(expiry);
    expect(names(decide(bundle, asked, catalog, expiry))).not.toContain('amazon-bedrock/eu');
  });

  it('forgets nothing wrongly when one decider crosses the expiry and comes back', () => {
    const decider = new Decider(bundle, catalog);
    const expiry = Date.parse('2026-12-02T00:00:00Z');
    const at = (nowMs: number): number =>
      decider.decide({ profile: PROFILE, facts: facts(), endpoints: catalog.endpoints, nowMs })
        .permitted.length;
    expect([at(expiry - 1), at(expiry), at(expiry - 1)]).toEqual([7, 4, 7]);
  });

  it('bounds a decision whose rules read the time', () => {
    const night = policyText(
      'house.night',
      'platform',
      `forbid ${ANYBODY}`,
      'when { context.now >= datetime("2026-11-21T12:00:30Z") }',
    );
    const timed = new Decider(shippedBundle({ night }), catalog);
    const ask = (nowMs: number): Decision =>
      timed.decide({ profile: PROFILE, facts: facts(), endpoints: catalog.endpoints, nowMs });
    expect(ask(NOW_MS).permitted).toHaveLength(7);
    expect(ask(NOW_MS).validUntilMs).toBe(NOW_MS + TIMED_DECISION_TTL_MS);
    expect(ask(NOW_MS + 30_000).permitted).toHaveLength(0);
  });

  it('decides the same when it yields', async () => {
    const input = {
      profile: PROFILE,
      facts: facts({ want: { only: ['groq', 'azure/eu'] } }),
      endpoints: catalog.endpoints,
      nowMs: NOW_MS,
    };
    const yielding = await new Decider(bundle, catalog).decideYielding(input);
    expect(yielding).toEqual(new Decider(bundle, catalog).decide(input));
    expect(names(yielding)).toEqual(['azure/eu', 'groq/global']);
  });

  it('denies where a forbid fails at run time, which Cedar alone would let pass', () => {
    const id = 'planted.error';
    const text = policyText(id, 'platform', `forbid ${ANYBODY}`, 'when { resource.trains }');
    // Strict validation refuses this policy, so it is put into the set behind validation's back.
    const planted = { ...bundle, policies: { ...bundle.policies, [id]: text } };
    const d = decide(planted, facts({ dataClass: 'public' }));
    expect(d.permitted.map((e) => e.providerId)).not.toContain('nobody-read');
    expect(d.excluded).toContainEqual({
      code: 'evaluation-error',
      policyIds: [],
      endpoints: catalog.endpoints.filter(
        (e) => e.providerId === 'nobody-read' || e.contract === 'subscription',
      ),
    });
  });

  it('denies by default where no policy permits', () => {
    const { 'base.grant': _grant, ...forbids } = bundle.policies;
    const d = decide({ ...bundle, policies: forbids }, facts({ dataClass: 'public' }));
    expect(d).toMatchObject({ permitted: [], excluded: [{ code: 'no-permit', policyIds: [] }] });
  });

  it('throws for what is no bundle', () => {
    const broken = { ...bundle, policies: { 'x.y': 'forbid (' } };
    expect(() => new Decider(broken, catalog)).toThrow(DomainError);
  });

  it('keeps more deciders apart than there are names for parsed sets', () => {
    const only = (id: string): PolicyBundle =>
      shippedBundle({
        own: policyText(
          'house.only',
          'platform',
          `forbid ${ANYBODY}`,
          `unless { resource in Custos::Provider::"${id}" }`,
        ),
      });
    const hosts = ['openai', 'azure', 'amazon-bedrock', 'groq', 'deepseek', 'nobody-read'];
    const deciders = [...hosts, ...hosts].map((id) => ({
      id,
      decider: new Decider(only(id), catalog),
    }));
    for (const { id, decider } of deciders) {
      const input = { profile: PROFILE, endpoints: catalog.endpoints, nowMs: NOW_MS };
      const d = decider.decide({ ...input, facts: facts({ dataClass: 'public' }) });
      expect(new Set(d.permitted.map((e) => e.providerId))).toEqual(new Set([id]));
    }
  });
});

/** Cedar's own answer about one endpoint: no grouping, no memo. */
function judgedAlone(set: ParsedSet, asked: RequestFacts, endpoint: Endpoint): boolean {
  const read = endpointFacts(endpoint, catalog, NOW_MS);
  const entities = [...principalEntities(PROFILE), ...endpointEntities(read)];
  return set.evaluate(keyUid(PROFILE), endpointUid(read), contextOf(asked, NOW_MS), entities)
    .allowed;
}

describe('sharing one evaluation', () => {
  const values = fc.constantFrom(
    'trains',
    'hq',
    'controlledFrom',
    'regions',
    'slugs',
    'openWeights',
  );
  const conditions: Record<string, string> = {
    trains: 'when { resource has trains && resource.trains }',
    hq: 'when { resource.provider has hq && resource.provider.hq == "CN" }',
    controlledFrom: 'unless { resource.provider has controlledFrom }',
    regions: 'when { resource has regions && resource.regions.contains("EEA") }',
    slugs: 'when { resource.slugs.contains("groq") }',
    openWeights: 'when { resource.model has openWeights && resource.model.openWeights }',
    endpoint: `when { resource == Custos::Endpoint::"${catalog.endpoints[3]?.id}" }`,
    provider: 'when { resource in [Custos::Provider::"groq", Custos::Provider::"openai"] }',
    same: 'when { resource.provider == Custos::Provider::"azure" }',
    model: 'when { resource.model == Custos::Model::"openai/gpt" }',
    models:
      'unless { [Custos::Model::"openai/gpt", Custos::Model::"x/y"].contains(resource.model) }',
    other: 'when { Custos::Provider::"groq" != resource.provider }',
    among: 'when { resource.provider in [Custos::Provider::"azure", Custos::Provider::"groq"] }',
    guarded: 'when { context.want has only && resource.slugs.contains("openai") }',
    either: 'when { context.want.zdr || resource.contract == "subscription" }',
  };
  const request = fc
    .record({
      dataClass: fc.constantFrom<DataClass>('public', 'internal', 'secret'),
      dataTags: fc.subarray(['cn-important', 'personal', 'phi', 'us-bulk-sensitive']),
      subjectRegions: fc.subarray(['DE', 'EEA', 'US']),
      want: fc.record(
        {
          zdr: fc.boolean(),
          denyDataCollection: fc.boolean(),
          only: fc.subarray(['azure', 'azure/eu', 'groq', 'openai']),
          ignore: fc.subarray(['azure/eu', 'openai']),
          regions: fc.subarray(['eu', 'us', 'JP']),
        },
        { requiredKeys: [] },
      ),
    })
    .map((r) => facts(r));

  it('gives each endpoint the answer it would get alone', () => {
    const rules = fc.subarray(Object.keys(conditions), { minLength: 1, maxLength: 2 });
    fc.assert(
      fc.property(rules, request, (picked, asked) => {
        const more = Object.fromEntries(
          picked.map((name) => [
            name,
            policyText(
              `own.${name.toLowerCase()}`,
              'platform',
              `forbid ${ANYBODY}`,
              conditions[name]!,
            ),
          ]),
        );
        const bundle = shippedBundle(more);
        const together = decide(bundle, asked);
        const set = new ParsedSet(bundle.schema, bundle.policies);
        const alone = catalog.endpoints.filter((e) => judgedAlone(set, asked, e));
        expect(together.permitted).toEqual(alone);
      }),
      { numRuns: 100 },
    );
  });

  it('only narrows when a policy or a want is added', () => {
    fc.assert(
      fc.property(values, request, request, (name, asked, more) => {
        const parent = decide(shippedBundle(), asked);
        const own = policyText(
          'own.rule',
          'organisation',
          'forbid (principal in Custos::Organisation::"org-default", action, resource)',
          conditions[name]!,
        );
        const byPolicy = decide(shippedBundle({ own }), asked);
        const byWant = decide(shippedBundle(), {
          ...asked,
          want: {
            ...more.want,
            ...asked.want,
            zdr: asked.want.zdr || more.want.zdr,
            denyDataCollection: asked.want.denyDataCollection || more.want.denyDataCollection,
          },
        });
        for (const child of [byPolicy, byWant]) {
          expect(child.permitted.filter((e) => !parent.permitted.includes(e))).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('only narrows when a fact becomes unknown', () => {
    const names = [
      'trainsOnApiData',
      'processingRegions',
      'pinned',
      'zdr',
      'retentionDays',
    ] as const;
    fc.assert(
      fc.property(fc.constantFrom(...names), request, (name, asked) => {
        const forgetful = sampleCatalog(
          [...catalog.providers.values()].map((p) => ({
            ...p,
            facts: p.facts.filter(({ fact }) => fact !== name),
          })),
          [...catalog.models.values()],
          catalog.endpoints,
        );
        const known = ids(decide(shippedBundle(), asked));
        const unknown = ids(decide(shippedBundle(), asked, forgetful));
        expect(unknown.filter((id) => !known.includes(id))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('endpointFacts', () => {
  const of = (providerId: string, region: string): object => {
    const found = catalog.endpoints.find((e) => e.providerId === providerId && e.region === region);
    return endpointFacts(found!, catalog, NOW_MS);
  };

  it('leaves out what nobody established', () => {
    expect(of('nobody-read', 'global')).toEqual({
      endpointId: 'nobody-read~deepseek~open~global~default',
      providerId: 'nobody-read',
      modelId: 'deepseek/open',
      contract: 'default',
      slugs: ['nobody-read'],
      openWeights: true,
    });
  });

  it('reads the places that the catalog states for the region', () => {
    expect(of('azure', 'eu')).toMatchObject({ regions: ['EEA'], places: ['EEA'], pinned: true });
    expect(of('amazon-bedrock', 'jp')).toMatchObject({ regions: ['JP'], pinned: true });
    expect(of('azure', 'global')).toMatchObject({ regions: ['EEA', 'US'], pinned: false });
  });

  it('knows no place where the region of the id contradicts the facts', () => {
    const odd = sampleCatalog(
      [provider('scaleway', { processingRegions: ['EEA'], pinned: true })],
      [model('a/b')],
      [{ providerId: 'scaleway', modelId: 'a/b', region: 'us' }],
    );
    const read = endpointFacts(odd.endpoints[0]!, odd, NOW_MS);
    expect(read).not.toHaveProperty('regions');
    expect(read).not.toHaveProperty('pinned');
  });

  it('reads zero retention on offer as not in force', () => {
    const offers = ['default', 'self-serve', 'approval', 'none', null] as const;
    const read = offers.map((zdr) => {
      const c = sampleCatalog([provider('p', { zdr })], [], [{ providerId: 'p', modelId: 'a/b' }]);
      return endpointFacts(c.endpoints[0]!, c, NOW_MS).zdr;
    });
    expect(read).toEqual([true, false, false, false, undefined]);
  });
});

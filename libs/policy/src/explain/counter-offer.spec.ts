import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadCatalog, type Catalog } from '#libs/catalog';

import { createDecider } from '../decider.js';
import { endpointFacts } from '../endpoint-facts.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import { counterOffer, type CounterOffer } from './counter-offer.js';
import { withObtained, type ObtainableFact } from './obtainable-facts.js';

const quality = (score: number) => ({
  quality: { score, benchmark: 'b', source: 'https://b.example', date: '2026-11-01' },
});

const known = { trainsOnApiData: false } as const;
const catalog = sampleCatalog(
  [provider('clinic', known), provider('plain', known), provider('vague')],
  [
    model('lab/wanted', { family: 'f', ...quality(0.8) }),
    model('lab/near', { family: 'f', contextTokens: 16_384, ...quality(0.75) }),
    model('lab/far', { ...quality(0.2) }),
  ],
  [
    { providerId: 'plain', modelId: 'lab/wanted' },
    { providerId: 'vague', modelId: 'lab/wanted' },
    { providerId: 'clinic', modelId: 'lab/near' },
    { providerId: 'clinic', modelId: 'lab/far' },
  ],
);

/** Rules of this spec alone stand beside the shipped ones, on a tag that no pack knows. */
const when = 'when { context.tags.contains("spec") }';
const rules = {
  baa: policyText(
    'spec.baa',
    'platform',
    `forbid ${ANYBODY}`,
    `${when} unless { resource has baaSigned && resource.baaSigned || resource in [Custos::Provider::"clinic"] }`,
  ),
  never: policyText(
    'spec.never',
    'platform',
    `forbid ${ANYBODY}`,
    `${when} unless { resource in [Custos::Provider::"clinic"] }`,
  ),
  seat: policyText(
    'spec.seat',
    'platform',
    `forbid ${ANYBODY}`,
    `${when} unless { resource.provider has hq && resource.provider.hq == "US" && resource has zdr && resource.zdr }`,
  ),
  house: policyText(
    'spec.house',
    'organisation',
    'forbid (principal in Custos::Organisation::"org-default", action == Custos::Action::"sendPrompt", resource)',
    `${when} unless { resource in [Custos::Provider::"clinic"] }`,
  ),
};

function offer(
  text: string,
  { want = {}, tags = ['spec'], left = (): number => 1, wanted = 'lab/wanted' } = {},
): CounterOffer {
  const decider = createDecider(shippedBundle({ 'spec.cedar': text }), catalog);
  return counterOffer({
    decider,
    profile: PROFILE,
    facts: facts({ dataClass: 'public', dataTags: tags, want }),
    nowMs: NOW_MS,
    wanted: catalog.models.get(wanted)!,
    refused: catalog.endpointsOf(wanted),
    left,
  });
}

describe('a counter-offer', () => {
  it('names the contract that would admit the wanted model, and nothing more', () => {
    const { ways, complete } = offer(rules.baa);
    expect(complete).toBe(true);
    expect(ways.map((w) => [w.provider, w.lift, w.facts])).toEqual([
      [
        'plain',
        [],
        [{ fact: 'baaSigned', says: 'a signed business associate agreement (BAA) with plain' }],
      ],
      [
        'vague',
        [],
        [{ fact: 'baaSigned', says: 'a signed business associate agreement (BAA) with vague' }],
      ],
    ]);
  });

  it('names the nearest permitted models, and what differs', () => {
    const { alternatives } = offer(rules.baa);
    expect(alternatives.map((a) => [a.model, a.provider])).toEqual([
      ['lab/near', 'clinic'],
      ['lab/far', 'clinic'],
    ]);
    expect(alternatives[0]?.differs).toEqual({
      sameModel: false,
      quality: -0.05,
      contextTokens: 0,
    });
  });

  it('finds several facts that are needed together, with the place that the rule wants', () => {
    const { ways } = offer(rules.seat);
    expect(ways[0]?.facts.map((f) => f.fact).toSorted()).toEqual(['hq', 'zdr']);
    expect(ways[0]?.facts.find((f) => f.fact === 'hq')?.says).toContain('seated in US');
  });

  it('says whose rule it is where a rule may be lifted', () => {
    const { ways } = offer(rules.house);
    expect(ways[0]).toMatchObject({
      lift: [{ policy: 'spec.house', by: 'organisation', law: 'a law' }],
      facts: [],
    });
  });

  it('tells a caller which of its own preferences is in the way', () => {
    const { ways } = offer(rules.baa, { tags: [], want: { only: ['nobody'] } });
    expect(ways[0]?.lift).toMatchObject([{ by: 'caller' }]);
    expect(ways[0]?.facts).toEqual([]);
  });

  it('has no way in where nothing helps, and does not make one up', () => {
    expect(offer(rules.never).ways).toEqual([]);
    expect(offer(rules.never).alternatives).toHaveLength(2);
  });

  it('stops when its time is up, and says so', () => {
    let asked = 0;
    const cut = offer(rules.seat, { left: () => ((asked += 1) < 2 ? 1 : 0) });
    expect(cut).toMatchObject({ ways: [], complete: false });
  });

  it('what it says would admit the endpoint does admit it', () => {
    const bundle = shippedBundle({ 'spec.cedar': rules.seat });
    const { ways } = offer(rules.seat);
    expect(bundle.policies['spec.seat']).toBeDefined();
    const endpoint = catalog.endpoint(ways[0]!.endpoint)!;
    const changes: ObtainableFact[] = [
      { fact: 'hq', says: '', changes: { hq: 'US' } },
      { fact: 'zdr', says: '', changes: { zdr: true } },
    ];
    expect(withObtained(endpointFacts(endpoint, catalog, NOW_MS), changes)).toMatchObject({
      hq: 'US',
      zdr: true,
      evidence: { seat: 4, retention: 4 },
    });
  });
});

describe('over the built-in catalog', () => {
  const data = join(import.meta.dirname, '../../../catalog/data');
  const builtIn: Catalog = loadCatalog((name) => readFileSync(join(data, name), 'utf8'));

  it('asks hardly anything once its time is up, whenever that is', () => {
    const decider = createDecider(shippedBundle(), builtIn);
    const wanted = builtIn.models.get('openai/gpt-4o')!;
    let late = 0;
    /** Time is up after it was looked at so often: what is asked of the decider afterwards is counted. */
    const run = (looks: number): CounterOffer => {
      let left = looks;
      late = 0;
      const asked =
        <A extends unknown[], R>(what: (...args: A) => R): ((...args: A) => R) =>
        (...args) => {
          if (left <= 0) late += 1;
          return what(...args);
        };
      return counterOffer({
        decider: {
          bundle: decider.bundle,
          catalog: decider.catalog,
          decide: asked((...args) => decider.decide(...args)),
          inquire: asked((...args) => decider.inquire(...args)),
        },
        profile: PROFILE,
        facts: facts({ dataTags: ['phi'], subjectRegions: ['US'] }),
        nowMs: NOW_MS,
        wanted,
        refused: builtIn.endpointsOf(wanted.id),
        left: () => (--left > 0 ? 1 : 0),
      });
    };
    const whole = run(Number.MAX_SAFE_INTEGER);
    expect(whole.complete).toBe(true);
    expect(whole.ways[0]?.facts.map((f) => f.fact)).toContain('baaSigned');
    for (const looks of [1, 2, 3, 5, 8, 13, 21, 34]) {
      const cut = run(looks);
      expect([cut.complete, late]).toEqual([false, 1]);
    }
  });
});

describe('a counter-offer where any model would have done', () => {
  const anything = (
    text: string,
    want: Parameters<typeof facts>[0] = {},
    left = (): number => 1,
  ): CounterOffer => {
    const decider = createDecider(shippedBundle({ 'spec.cedar': text }), catalog);
    const asked = facts({ dataClass: 'public', dataTags: ['spec'], ...want });
    const question = { profile: PROFILE, facts: asked, nowMs: NOW_MS };
    const { permitted } = decider.decide({ ...question, endpoints: catalog.endpoints });
    expect(permitted).toEqual([]);
    return counterOffer({
      ...question,
      decider,
      wanted: undefined,
      refused: catalog.endpoints,
      left,
    });
  };
  const want = { zdr: true, denyDataCollection: false, confidential: false };

  it('names the best models that only the caller’s own wishes shut, and which', () => {
    const { alternatives, complete } = anything(rules.never, { want });
    expect(alternatives).toEqual([
      {
        model: 'lab/near',
        endpoint: 'clinic~lab~near~global~default',
        provider: 'clinic',
        region: 'global',
        leavingOut: ['req.zdr'],
      },
      expect.objectContaining({ model: 'lab/far', leavingOut: ['req.zdr'] }),
    ]);
    expect(complete).toBe(true);
  });

  it('names none where law or house shut them all, but what would open one', () => {
    const { alternatives, ways } = anything(
      policyText(
        'spec.baa',
        'platform',
        `forbid ${ANYBODY}`,
        `${when} unless { resource has baaSigned && resource.baaSigned }`,
      ),
    );
    expect(alternatives).toEqual([]);
    expect(ways[0]).toMatchObject({ facts: [{ fact: 'baaSigned' }], lift: [] });
  });

  it('is silent, and says so, where the time is up', () => {
    expect(anything(rules.never, { want }, () => 0)).toEqual({
      alternatives: [],
      ways: [],
      complete: false,
    });
  });

  it('is found within its budget over the whole built-in catalog', () => {
    const whole = loadCatalog((name) =>
      readFileSync(join(import.meta.dirname, '../../../catalog/data', name), 'utf8'),
    );
    const decider = createDecider(shippedBundle(), whole);
    const asked = facts({ dataClass: 'public', want: { confidential: true } });
    const question = { profile: PROFILE, facts: asked, nowMs: NOW_MS };
    let asking = 0;
    const { alternatives } = counterOffer({
      ...question,
      decider,
      wanted: undefined,
      refused: whole.endpoints,
      left: () => 1 - asking++ / 2_000,
    });
    expect(alternatives).toHaveLength(3);
    for (const { leavingOut } of alternatives) expect(leavingOut).toEqual(['req.confidential']);
    expect(new Set(alternatives.map((a) => a.model)).size).toBe(3);
  });
});

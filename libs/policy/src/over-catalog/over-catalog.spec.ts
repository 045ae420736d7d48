import { describe, expect, it } from '@jest/globals';

import { Decider } from '../decider.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import type { AnalysisContext } from './contexts.js';
import { diffBundles } from './diff-bundles.js';
import { deadPolicies, policyEffects, shadowedPolicies } from './policy-effects.js';
import { reachability } from './reachability.js';

const offers = [
  { providerId: 'good', modelId: 'a/both' },
  { providerId: 'trains', modelId: 'a/both' },
  { providerId: 'trains', modelId: 'b/lonely' },
];
const providers = [
  provider('good', { trainsOnApiData: false }),
  provider('trains', { trainsOnApiData: true }),
];
const models = [model('a/both'), model('b/lonely')];
const catalog = sampleCatalog(providers, models, offers);

const internal: AnalysisContext = { name: 'internal', profile: PROFILE, facts: facts() };
const open: AnalysisContext = {
  name: 'public',
  profile: PROFILE,
  facts: facts({ dataClass: 'public' }),
};
const contexts = [internal, open];

const rule = (id: string, condition: string, head = `forbid ${ANYBODY}`): string =>
  policyText(id, head.includes('Organisation') ? 'organisation' : 'platform', head, condition);
const deciderOf = (more: Record<string, string> = {}, over = catalog): Decider =>
  new Decider(shippedBundle(more), over);
const id = (at: number): string => catalog.endpoints[at]?.id ?? '';

describe('diffBundles', () => {
  const before = deciderOf();

  it('names what a new rule refuses, by context, with the policies', () => {
    const after = deciderOf({
      own: rule('own.good', 'when { resource in Custos::Provider::"good" }'),
    });
    expect(diffBundles(before, after, contexts, NOW_MS)).toEqual([
      {
        context: 'internal',
        newlyRefused: [{ endpointId: id(0), before: [], after: ['own.good'] }],
        newlyAllowed: [],
        refusedOtherwise: [],
        unchanged: 2,
        uncompared: 0,
      },
      {
        context: 'public',
        newlyRefused: [{ endpointId: id(0), before: [], after: ['own.good'] }],
        newlyAllowed: [],
        refusedOtherwise: [],
        unchanged: 2,
        uncompared: 0,
      },
    ]);
    expect(diffBundles(after, before, [open], NOW_MS)[0]?.newlyAllowed).toEqual([
      { endpointId: id(0), before: ['own.good'], after: [] },
    ]);
  });

  it('tells a refusal for another reason from an unchanged one', () => {
    const after = deciderOf({
      own: rule('own.lonely', 'when { resource.model == Custos::Model::"b/lonely" }'),
    });
    const [diff] = diffBundles(before, after, [internal], NOW_MS);
    expect(diff).toMatchObject({
      newlyRefused: [],
      unchanged: 2,
      refusedOtherwise: [
        {
          endpointId: id(2),
          before: ['base.no-training'],
          after: ['base.no-training', 'own.lonely'],
        },
      ],
    });
  });

  it('compares what both catalogs have', () => {
    const smaller = sampleCatalog(providers, models, offers.slice(1), 'sha256:smaller');
    const [diff] = diffBundles(before, deciderOf({}, smaller), [internal], NOW_MS);
    expect(diff).toMatchObject({ unchanged: 2, uncompared: 1 });
  });
});

describe('policyEffects', () => {
  const decider = deciderOf({
    dead: rule('own.dead', 'when { resource.contract == "of nobody" }'),
    shadowed: rule(
      'own.shadowed',
      'when { context.dataClass == "internal" && resource.model == Custos::Model::"b/lonely" }',
    ),
  });
  const effects = policyEffects(decider, contexts, NOW_MS);
  const of = (policyId: string): object | undefined => effects.find((e) => e.policyId === policyId);

  it('counts what each policy decided, and what it alone refused', () => {
    expect(effects.map((e) => e.policyId)).toEqual(Object.keys(decider.bundle.policies).toSorted());
    expect(of('base.grant')).toMatchObject({ matched: 4, alone: 4 });
    expect(of('base.no-training')).toMatchObject({ matched: 2, alone: 1 });
    expect(of('own.shadowed')).toMatchObject({ matched: 1, alone: 0 });
  });

  it('finds the dead and the shadowed', () => {
    const dead = deadPolicies(effects);
    expect(dead).toContain('own.dead');
    expect(dead).not.toContain('base.no-training');
    expect(shadowedPolicies(effects)).toEqual(['own.shadowed']);
  });

  it('calls alive what another context wakes', () => {
    const secret = { ...internal, facts: facts({ dataClass: 'secret' }) };
    expect(deadPolicies(effects)).toContain('class.secret');
    expect(deadPolicies(policyEffects(decider, [secret], NOW_MS))).not.toContain('class.secret');
  });
});

describe('reachability', () => {
  it('names the models that a context cannot call any more, and who objects', () => {
    expect(reachability(deciderOf(), contexts, NOW_MS)).toEqual([
      {
        context: 'internal',
        reachable: 1,
        unreachable: [{ modelId: 'b/lonely', endpoints: 1, objectedBy: ['base.no-training'] }],
      },
      { context: 'public', reachable: 2, unreachable: [] },
    ]);
  });
});

import { describe, expect, it } from '@jest/globals';

import { createDecider } from '../decider.js';
import { model, NOW_MS, provider, sampleCatalog } from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import { contextClasses } from './context-classes.js';
import { outlookOf, rulesHit } from './outlook.js';

const catalog = sampleCatalog(
  [provider('one', { trainsOnApiData: false }), provider('trains', { trainsOnApiData: true })],
  [model('a/both'), model('b/lonely'), model('c/trained')],
  [
    { providerId: 'one', modelId: 'a/both' },
    { providerId: 'trains', modelId: 'a/both' },
    { providerId: 'one', modelId: 'b/lonely' },
    { providerId: 'trains', modelId: 'c/trained' },
  ],
);
const rule = (id: string, body: string, head = ANYBODY): string =>
  policyText(id, 'platform', `forbid ${head}`, body);
const deciderOf = (more: Record<string, string> = {}) =>
  createDecider(shippedBundle(more), catalog);
const outlook = (more: Record<string, string>, hit: readonly string[] = []) =>
  outlookOf({ before: deciderOf(), after: deciderOf(more), nowMs: NOW_MS, hit });

describe('the outlook of a bundle', () => {
  it('finds a planted dead rule, unless recorded traffic has met it', async () => {
    const dead = { dead: rule('own.dead', 'when { resource.contract == "of nobody" }') };
    const found = await outlook(dead);
    expect(found.dead).toContain('own.dead');
    expect(found.shadowed).not.toContain('own.dead');
    expect(found.dead).not.toContain('base.grant');
    expect(found.dead).not.toContain('base.no-training');
    expect(found.dead.filter((id) => id.startsWith('dora.'))).toEqual([]);
    const hit = rulesHit({
      rules: [
        { id: 'own.dead', layer: 'platform', law: 'a law', after: 1, newlyRefused: 1 },
        { id: 'own.gone', layer: 'platform', law: 'a law', before: 1, newlyRefused: 0 },
      ],
    });
    expect(hit).toEqual(['own.dead']);
    expect((await outlook(dead, hit)).dead).not.toContain('own.dead');
  });

  it('finds a planted shadowed rule, and not the one that shadows it', async () => {
    const found = await outlook({
      shadowed: rule(
        'own.shadowed',
        'when { context.dataClass == "internal" && resource.model == Custos::Model::"c/trained" }',
      ),
      reason: rule('own.reason', 'when { resource.model == Custos::Model::"b/lonely" }'),
    });
    expect(found.shadowed).toContain('own.shadowed');
    expect(found.dead).not.toContain('own.shadowed');
    expect(found.shadowed).not.toContain('own.reason');
    expect(found.shadowed).not.toContain('base.no-training');
  });

  it('does not call dead what waits for a wish in the request', async () => {
    const { dead, notAsked } = await outlook({});
    expect(notAsked).toContain('req.zdr');
    expect(dead.filter((id) => id.startsWith('req.'))).toEqual([]);
  });

  it('names models that lose their last endpoint, where, how often and by which rule', async () => {
    const more = { own: rule('own.one', 'when { resource in Custos::Provider::"one" }') };
    const { newlyUnreachable, contexts, endpoints } = await outlook(more);
    const classes = contextClasses([shippedBundle(), shippedBundle(more)]);
    expect([contexts, endpoints]).toEqual([classes.length, catalog.endpoints.length]);
    const row = (id: string) => newlyUnreachable.listed.find((m) => m.modelId === id);
    expect(row('b/lonely')).toMatchObject({ closedBy: ['own.one'] });
    expect(row('b/lonely')?.inContexts).toContain('anybody, public');
    expect(row('b/lonely')?.inContexts.length).toBeLessThanOrEqual(3);
    // Public data may still go where it is trained on: another endpoint is left there, and only there.
    expect(row('a/both')?.inContexts).toContain('anybody, internal');
    expect(row('a/both')?.inContexts).not.toContain('anybody, public');
    expect(row('a/both')!.contexts).toBeLessThan(row('b/lonely')!.contexts);
    // It was never one of provider one's.
    expect(row('c/trained')).toBeUndefined();
    expect(newlyUnreachable.models).toBe(2);
    expect(newlyUnreachable.contexts).toBe(row('b/lonely')!.contexts);
    expect(newlyUnreachable.pairs).toBe(row('a/both')!.contexts + row('b/lonely')!.contexts);
  });

  it('says nothing of what was out of reach before', async () => {
    const shut = { own: rule('own.one', 'when { resource in Custos::Provider::"one" }') };
    const same = await outlookOf({
      before: deciderOf(shut),
      after: deciderOf({ ...shut, more: rule('own.dead', 'when { resource.contract == "x" }') }),
      nowMs: NOW_MS,
    });
    expect(same.newlyUnreachable).toEqual({ models: 0, contexts: 0, pairs: 0, listed: [] });
  });

  it('lists a bounded number of models and counts all', async () => {
    const ids = Array.from({ length: 120 }, (_, at) => `lab/m${at}`);
    const many = sampleCatalog(
      [provider('one')],
      ids.map((id) => model(id)),
      ids.map((modelId) => ({ providerId: 'one', modelId })),
      'sha256:many',
    );
    const none = shippedBundle({ own: rule('own.one', 'when { true }') });
    const { newlyUnreachable } = await outlookOf({
      before: createDecider(shippedBundle(), many),
      after: createDecider(none, many),
      nowMs: NOW_MS,
    });
    expect(newlyUnreachable.models).toBe(120);
    expect(newlyUnreachable.listed).toHaveLength(100);
  });
});

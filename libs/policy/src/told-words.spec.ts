import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { policyJson } from './cedar.js';
import { createDecider } from './decider.js';
import { factsAsRead } from './keys.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from './sample-catalog.spec-support.js';
import { shippedBundle } from './shipped-policies.spec-support.js';
import { toldInContext } from './told-words.js';

const told = (body: string) => {
  const json = policyJson(`forbid (principal, action, resource) ${body};`);
  if (!json.ok) throw new Error(json.messages.join());
  const { purpose, tags } = toldInContext([json.value]);
  const list = (words: typeof tags) => (words === 'all' ? words : [...words].toSorted());
  return { purpose: list(purpose), tags: list(tags) };
};

describe('words that a policy can tell from others', () => {
  it.each([
    ['when { context.purpose == "a" }', { purpose: ['a'], tags: [] }],
    [
      'unless { "a" != context.purpose || ["b", "c"].contains(context.purpose) }',
      { purpose: ['a', 'b', 'c'], tags: [] },
    ],
    [
      'when { context.tags.contains("a") && context.tags.containsAll(["b"]) }',
      { purpose: [], tags: ['a', 'b'] },
    ],
    [
      'when { context.tags.containsAny(["a"]) || ["b"].containsAny(context.tags) }',
      { purpose: [], tags: ['a', 'b'] },
    ],
    ['when { context.want.zdr && context has breakGlass }', { purpose: [], tags: [] }],
  ])('%s', (body, words) => {
    expect(told(body)).toEqual(words);
  });

  it.each([
    ['when { context.purpose like "a*" }', 'purpose'],
    ['when { context.purpose == resource.contract }', 'purpose'],
    ['when { (if resource.pinned then context.purpose else "b") == "a" }', 'purpose'],
    ['when { ["a"].containsAll(context.tags) }', 'tags'],
    ['when { context.tags == ["a"] }', 'tags'],
    ['when { context.tags.isEmpty() }', 'tags'],
    ['when { context.tags.contains(resource.contract) }', 'tags'],
    ['when { resource.slugs.containsAny(context.tags) }', 'tags'],
    ['when { [context.tags].contains(["a"]) }', 'tags'],
    ['when { context == context }', 'tags'],
  ] as const)('are all of them: %s', (body, member) => {
    expect(told(body)[member]).toBe('all');
  });

  it('make all the difference: a decision is the same without the others', () => {
    const catalog = sampleCatalog(
      [
        provider('known', { trainsOnApiData: false, processingRegions: ['DE'], pinned: true }),
        provider('cn', { trainsOnApiData: false, hqCountry: 'CN', controlledFrom: ['CN'] }),
        provider('unknown'),
      ],
      [model('a/b')],
      ['known', 'cn', 'unknown'].map((providerId) => ({ providerId, modelId: 'a/b' })),
    );
    const bundle = shippedBundle();
    const decider = createDecider(bundle, catalog);
    const word = fc.oneof(
      fc.constantFrom(
        'phi',
        'personal',
        'special-category',
        'us-bulk-sensitive',
        'cn-important',
        'itar',
      ),
      fc.string({ minLength: 1, maxLength: 12 }),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(word, { maxLength: 4 }),
        word,
        fc.constantFrom('public', 'internal', 'confidential'),
        (dataTags, purpose, dataClass) => {
          const asked = facts({ dataTags, purpose, dataClass: dataClass as 'public' });
          // Another decider, so that nothing is remembered under the key that is on trial.
          const [whole, read] = [asked, factsAsRead(asked, bundle)].map((f) => ({
            profile: PROFILE,
            facts: f,
            endpoints: catalog.endpoints,
            nowMs: NOW_MS,
          }));
          expect(createDecider(bundle, catalog).decide(whole!)).toEqual(decider.decide(read!));
        },
      ),
      { numRuns: 60 },
    );
  });
});

import { describe, expect, it } from '@jest/globals';

import { DecisionCache } from './decision-cache.js';
import type { DecisionKey } from './decision-cache.js';
import { factsKey, profileKey } from './keys.js';
import { facts, NOW_MS, PROFILE } from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { PolicyBundle, PrincipalProfile } from './types.js';

const bundle = shippedBundle();
const house = (head: string, body: string): PolicyBundle =>
  shippedBundle({ own: policyText('house.own', 'platform', head, body) });

describe('profileKey', () => {
  const differ = (b: PolicyBundle, other: Partial<PrincipalProfile>): boolean =>
    profileKey(PROFILE, b) !== profileKey({ ...PROFILE, ...other }, b);

  it('is shared by the keys of a workspace and by organisations nobody names', () => {
    expect(differ(bundle, { keyId: 'another' })).toBe(false);
    expect(differ(bundle, { workspaceId: 'another' })).toBe(false);
    expect(differ(bundle, { organisationId: 'another', environment: 'production' })).toBe(false);
  });

  it('tells an organisation apart that a policy names', () => {
    expect(differ(bundle, { organisationId: 'starter-eu-bank' })).toBe(true);
  });

  it('tells keys apart only where a policy names one', () => {
    const named = house('forbid (principal == Custos::Key::"k1", action, resource)', '');
    expect(differ(named, { keyId: 'k1' })).toBe(true);
    expect(differ(named, { keyId: 'k2' })).toBe(false);
  });

  it('tells keys apart only where a policy holds the principal against one', () => {
    const own = house(`forbid ${ANYBODY}`, 'when { principal == Custos::Key::"k1" }');
    expect(differ(own, { keyId: 'k1' })).toBe(true);
    expect(differ(own, { keyId: 'k2' })).toBe(false);
  });

  it('tells sectors apart where a policy reads the sector', () => {
    const own = house(`forbid ${ANYBODY}`, 'when { principal.organisation.sector == "bank" }');
    expect(differ(own, { sector: 'bank' })).toBe(true);
    expect(differ(own, { environment: 'production' })).toBe(false);
  });
});

describe('factsKey', () => {
  it('differs where anything a rule may read differs', () => {
    const keys = [
      facts(),
      facts({ dataClass: 'public' }),
      facts({ dataTags: ['phi'] }),
      facts({ subjectRegions: ['phi'] }),
      facts({ want: { zdr: true } }),
      facts({ want: { confidential: true } }),
      facts({ want: { denyDataCollection: true } }),
      facts({ want: { only: [] } }),
      facts({ want: { only: ['a', 'b'] } }),
      facts({ want: { only: ['a,b'] } }),
      facts({ want: { ignore: ['a', 'b'] } }),
      facts({ want: { regions: ['a', 'b'] } }),
      facts({ purpose: 'billing' }),
    ].map((f) => factsKey(f));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('does not depend on the order of names', () => {
    const [a, b] = [
      ['x', 'y'],
      ['y', 'x'],
    ].map((only) => factsKey(facts({ want: { only } })));
    expect(a).toBe(b);
  });

  it('leaves a purpose out that no rule of this bundle names', () => {
    const billing = facts({ purpose: 'billing' });
    expect(factsKey(billing, bundle)).toBe(factsKey(facts(), bundle));
    const reads = house(`forbid ${ANYBODY}`, 'when { context.purpose == "billing" }');
    expect(factsKey(billing, reads)).not.toBe(factsKey(facts(), reads));
  });

  it('is one for all purposes and tags that a sender may think of', () => {
    const thoughtOf = Array.from({ length: 2_000 }, (_, n) =>
      facts({ purpose: `purpose ${n}`, dataTags: ['phi', `tag ${n}`] }),
    );
    expect(new Set(thoughtOf.map((f) => factsKey(f, bundle)))).toEqual(
      new Set([factsKey(facts({ dataTags: ['phi'] }), bundle)]),
    );
    const like = house(`forbid ${ANYBODY}`, 'when { context.purpose like "purpose 1*" }');
    expect(new Set(thoughtOf.map((f) => factsKey(f, like))).size).toBe(2_000);
  });
});

describe('DecisionCache', () => {
  const key = (scope: string): DecisionKey => ({
    policyVersion: 'p',
    catalogVersion: 'c',
    profile: 'x',
    facts: 'y',
    scope,
  });

  it('keeps the lately used up to its limit', () => {
    const cache = new DecisionCache<{ n: number; validUntilMs?: number }>(2);
    cache.set(key('a'), { n: 1 });
    cache.set(key('b'), { n: 2 });
    cache.get(key('a'), NOW_MS);
    cache.set(key('c'), { n: 3 });
    expect(cache.size).toBe(2);
    expect(['a', 'b', 'c'].map((s) => cache.get(key(s), NOW_MS)?.n)).toEqual([1, undefined, 3]);
  });

  it('forgets a decision at the instant it may change', () => {
    const cache = new DecisionCache<{ validUntilMs: number }>();
    cache.set(key('a'), { validUntilMs: NOW_MS + 1 });
    expect(cache.get(key('a'), NOW_MS)).toBeDefined();
    expect(cache.get(key('a'), NOW_MS + 1)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it('keeps versions apart', () => {
    const cache = new DecisionCache<{ validUntilMs?: number }>();
    cache.set(key('a'), {});
    expect(cache.get({ ...key('a'), policyVersion: 'q' }, NOW_MS)).toBeUndefined();
    expect(cache.get({ ...key('a'), catalogVersion: 'd' }, NOW_MS)).toBeUndefined();
  });

  it('drops what was decided under one bundle when told to', () => {
    const cache = new DecisionCache<{ validUntilMs?: number }>();
    const other = { ...key('a'), policyVersion: 'p2' };
    for (const one of [key('a'), key('b'), other]) cache.set(one, {});
    cache.forget('p');
    expect([key('a'), key('b'), other].map((k) => cache.get(k, NOW_MS))).toEqual([
      undefined,
      undefined,
      {},
    ]);
  });
});

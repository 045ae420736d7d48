import { describe, expect, it } from '@jest/globals';

import { createDecider } from './decider.js';
import { breakGlassFor, exceptionsEpochOf, liftablePolicies } from './exceptions.js';
import type { PolicyException } from './exceptions.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from './sample-catalog.spec-support.js';
import { shippedBundle } from './shipped-policies.spec-support.js';
import type { PolicyBundle } from './types.js';

const rule = (id: string, unless: string): string => `
@id("${id}") @layer("platform") @law("house rule") @reason("a rule of the spec")${
  unless.includes(`"${id}"`) ? ' @liftable("a rule of the house")' : ''
}
forbid (principal, action == Custos::Action::"sendPrompt", resource)
when { context.tags.contains("spec") } unless { ${unless} };`;
const names = (id: string): string =>
  `context has breakGlass && context.breakGlass.policies.contains("${id}")`;

const bundleWith = (...rules: readonly string[]): PolicyBundle =>
  shippedBundle({ 'spec.cedar': rules.join('\n') });

const exception = (over: Partial<PolicyException> = {}): PolicyException => ({
  id: 'exc-1',
  policies: ['spec.one'],
  scope: { kind: 'organisation', id: PROFILE.organisationId },
  requestedBy: 'key:a',
  approvedBy: 'key:b',
  ticket: 'T-1',
  expiresAt: new Date(NOW_MS + 60_000).toISOString(),
  ...over,
});

describe('break-glass', () => {
  it('finds the rules that name themselves in an exception, and no others', () => {
    const bundle = bundleWith(
      rule('spec.one', names('spec.one')),
      rule('spec.two', names('spec.one')),
      rule('spec.three', 'context.want.zdr'),
      rule('spec.four', `context.purpose == "x" && (${names('spec.four')})`),
    );
    const found = [...liftablePolicies(bundle)].filter((id) => id.startsWith('spec.'));
    expect(found).toEqual(['spec.four', 'spec.one']);
  });

  it('counts for whom it was given, until it ends, and only where a rule allows it', () => {
    const bundle = bundleWith(rule('spec.one', names('spec.one')));
    const found = (e: PolicyException, nowMs = NOW_MS) =>
      breakGlassFor([e], bundle, PROFILE, nowMs);
    expect(found(exception())).toMatchObject({ exceptions: ['exc-1'], policies: ['spec.one'] });
    expect(found(exception({ scope: { kind: 'key', id: 'another' } }))).toBeUndefined();
    expect(found(exception({ scope: { kind: 'key', id: PROFILE.keyId } }))).toBeDefined();
    expect(found(exception(), NOW_MS + 60_000)).toBeUndefined();
    expect(found(exception(), NOW_MS + 59_999)).toBeDefined();
    expect(found(exception({ policies: ['base.no-training'] }))).toBeUndefined();
    // An instant that does not parse has always been over.
    expect(found(exception({ expiresAt: 'whenever' }))).toBeUndefined();
  });

  it('joins several into one record that ends with the first of them', () => {
    const bundle = bundleWith(
      rule('spec.one', names('spec.one')),
      rule('spec.two', names('spec.two')),
    );
    const soon = new Date(NOW_MS + 1_000).toISOString();
    const two = exception({ id: 'exc-0', policies: ['spec.two'], expiresAt: soon, ticket: 'T-0' });
    const joined = breakGlassFor([exception(), two], bundle, PROFILE, NOW_MS);
    expect(joined).toEqual({
      exceptions: ['exc-0', 'exc-1'],
      policies: ['spec.one', 'spec.two'],
      approver: 'key:b',
      ticket: 'T-0 T-1',
      expiresMs: NOW_MS + 1_000,
    });
    expect(exceptionsEpochOf([exception(), two])).toBe(exceptionsEpochOf([two, exception()]));
    expect(exceptionsEpochOf([exception()])).not.toBe(exceptionsEpochOf([two]));
    expect(exceptionsEpochOf([])).toBe('');
  });

  it('lifts that one rule, and the decision holds no longer than the exception', () => {
    const bundle = bundleWith(
      rule('spec.one', names('spec.one')),
      rule('spec.two', names('spec.two')),
    );
    const catalog = sampleCatalog(
      [provider('one')],
      [model('an/m')],
      [{ providerId: 'one', modelId: 'an/m' }],
    );
    const decider = createDecider(bundle, catalog);
    const decide = (breakGlass = breakGlassFor([exception()], bundle, PROFILE, NOW_MS)) =>
      decider.decide({
        profile: PROFILE,
        facts: facts({ dataClass: 'public', dataTags: ['spec'] }),
        endpoints: catalog.endpoints,
        nowMs: NOW_MS,
        breakGlass,
      });
    const objecting = (d: ReturnType<typeof decide>) =>
      new Set(d.excluded.flatMap((g) => g.policyIds).filter((id) => id.startsWith('spec.')));
    const without = decider.decide({
      profile: PROFILE,
      facts: facts({ dataClass: 'public', dataTags: ['spec'] }),
      endpoints: catalog.endpoints,
      nowMs: NOW_MS,
    });
    expect(objecting(without)).toEqual(new Set(['spec.one', 'spec.two']));
    expect(objecting(decide())).toEqual(new Set(['spec.two']));
    expect(decide().validUntilMs).toBeLessThanOrEqual(NOW_MS + 60_000);
    const both = exception({ policies: ['spec.one', 'spec.two'] });
    expect(objecting(decide(breakGlassFor([both], bundle, PROFILE, NOW_MS)))).toEqual(new Set());
    // What was remembered under an exception is not remembered without one.
    expect(objecting(decide())).toEqual(new Set(['spec.two']));
  });
});

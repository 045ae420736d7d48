import { describe, expect, it } from '@jest/globals';

import { canonicalJson, DomainError, sha256 } from '#libs/kernel';

import { buildBundle } from './build-bundle.js';
import type { BuiltBundle } from './build-bundle.js';
import { decodeBundle, encodeBundle } from './bundle-codec.js';
import {
  ANYBODY,
  policyText,
  shippedBundle,
  shippedSources,
} from './shipped-policies.spec-support.js';

const withText = (text: string): BuiltBundle =>
  buildBundle({ ...shippedSources, policies: { ...shippedSources.policies, 'new.cedar': text } });

const faultsOf = (built: BuiltBundle): { code: string; message: string; policyId?: string }[] =>
  built.ok ? [] : [...built.faults];

describe('buildBundle', () => {
  it('cites every policy from its annotations', () => {
    expect(shippedBundle().citations['gdpr.ch5']).toEqual({
      id: 'gdpr.ch5',
      layer: 'jurisdiction',
      law: 'GDPR Art. 44-46',
      reason: expect.stringContaining('EEA'),
      code: 'geo',
    });
  });

  it('has a version that depends on texts only, not on files or their order', () => {
    const all = Object.values(shippedSources.policies).toReversed().join('\n');
    const one = buildBundle({ policies: { 'one.cedar': all }, schema: shippedSources.schema });
    expect(one).toEqual({ ok: true, bundle: shippedBundle() });
  });

  it('changes version with one character of a rule', () => {
    const changed = shippedBundle({
      'request.cedar': (shippedSources.policies['request.cedar'] ?? '').replace('== 0', '== 1'),
    });
    expect(changed.version).not.toBe(shippedBundle().version);
  });

  it('reports every fault at once', () => {
    const built = buildBundle({
      schema: shippedSources.schema,
      policies: {
        'a.cedar': 'permit (',
        'b.cedar': policyText('org.rule', 'organisation', `forbid ${ANYBODY}`, ''),
        'c.cedar': `forbid ${ANYBODY};`,
      },
    });
    const codes = faultsOf(built).map((f) => f.code);
    expect(codes).toEqual(['policy-syntax', 'layering', 'annotation', 'layering']);
  });

  it.each([
    ['a second permit', policyText('base.more', 'platform', `permit ${ANYBODY}`, ''), 'layering'],
    [
      'a permit of an organisation',
      policyText(
        'org.more',
        'organisation',
        'permit (principal in Custos::Organisation::"x", action, resource)',
        '',
      ),
      'layering',
    ],
    ['an id taken', policyText('req.zdr', 'request', `forbid ${ANYBODY}`, ''), 'duplicate-id'],
    ['an unknown layer', policyText('x.y', 'galaxy', `forbid ${ANYBODY}`, ''), 'annotation'],
    [
      'an unguarded optional attribute',
      policyText('x.y', 'platform', `forbid ${ANYBODY}`, 'when { resource.trains }'),
      'validation',
    ],
    [
      'a misspelt attribute',
      policyText('x.y', 'platform', `forbid ${ANYBODY}`, 'when { resource has trians }'),
      'validation',
    ],
    [
      'a template',
      '@id("x.y") @layer("platform") @law("l") @reason("r") forbid (principal == ?principal, action, resource);',
      'policy-syntax',
    ],
    [
      'an operator outside the subset',
      policyText(
        'x.y',
        'platform',
        `forbid ${ANYBODY}`,
        'when { decimal("1.0").lessThan(decimal("2.0")) && resource.contract == "x" }',
      ),
      'operator',
    ],
    [
      'a set that passes by being empty',
      policyText(
        'x.y',
        'platform',
        `forbid ${ANYBODY}`,
        'unless { resource has regions && ["EEA"].containsAll(resource.regions) }',
      ),
      'empty-set',
    ],
    [
      'an unknown code',
      `@code("whim") ${policyText('x.y', 'platform', `forbid ${ANYBODY}`, '')}`,
      'annotation',
    ],
  ])('refuses %s', (_name, text, code) => {
    expect(faultsOf(withText(text)).map((f) => f.code)).toContain(code);
  });

  it('accepts an organisation rule that names its organisation', () => {
    const head = 'forbid (principal in Custos::Organisation::"x", action, resource)';
    expect(withText(policyText('x.y', 'organisation', head, '')).ok).toBe(true);
  });

  it('refuses a schema that does not take what the gateway states', () => {
    const schema = shippedSources.schema.replace('openWeights?: Bool', 'openWeights?: String');
    expect(faultsOf(buildBundle({ ...shippedSources, schema })).map((f) => f.code)).toEqual([
      'schema-misfit',
    ]);
  });

  it('reports a broken schema', () => {
    const built = buildBundle({ ...shippedSources, schema: 'entity {' });
    expect(faultsOf(built).map((f) => f.code)).toEqual(['schema-syntax']);
  });
});

describe('a published bundle', () => {
  const bundle = shippedBundle();
  const sent = (): Record<string, unknown> =>
    JSON.parse(encodeBundle(bundle)) as Record<string, unknown>;

  it('is read as what was published, citations and all', () => {
    expect(decodeBundle(sent())).toEqual(bundle);
  });

  it('is refused when its contents are not of the version claimed', () => {
    const { 'req.zdr': _dropped, ...fewer } = bundle.policies;
    expect(() => decodeBundle({ ...sent(), policies: fewer })).toThrow(/contents have version/);
  });

  it('is read even where its rules would be written otherwise today', () => {
    const id = 'x.y';
    const condition = 'unless { resource has regions && ["EEA"].containsAll(resource.regions) }';
    const text = policyText(id, 'platform', `forbid ${ANYBODY}`, condition);
    const policies = { ...bundle.policies, [id]: text.trim() };
    const version = sha256(canonicalJson({ policies, schema: bundle.schema }));
    expect(decodeBundle({ version, policies, schema: bundle.schema }).citations[id]?.id).toBe(id);
  });

  it('is refused when a text would not have been published', () => {
    const policies = { ...bundle.policies, 'x.y': `permit ${ANYBODY};` };
    expect(() => decodeBundle({ ...sent(), policies })).toThrow(DomainError);
  });

  it.each([null, [], {}, { version: 1 }, { ...sent(), schema: null }])('is not %j', (json) => {
    expect(() => decodeBundle(json)).toThrow(DomainError);
  });
});

import { describe, expect, it } from '@jest/globals';

import { effectivePolicy } from './effective-policy.js';
import { PROFILE } from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { PolicyBundle } from './types.js';

const rule = (id: string, condition: string): string =>
  policyText(id, 'platform', `forbid ${ANYBODY}`, condition);

describe('effectivePolicy', () => {
  const sources = {
    theirs: policyText(
      'own.theirs',
      'organisation',
      'forbid (principal in Custos::Organisation::"org-x", action, resource)',
      'when { resource.contract == "x" }',
    ),
    banks: rule(
      'own.banks',
      'when { context.dataClass == "secret" && principal.organisation.sector == "bank" }',
    ),
    dev: rule('own.dev', 'unless { principal.workspace.environment == "production" }'),
  };
  const bundle: PolicyBundle = shippedBundle(sources);
  const listed = (profile: Partial<typeof PROFILE>, of = bundle): string[] =>
    effectivePolicy(of, { ...PROFILE, ...profile }).flatMap(({ policies }) =>
      policies.map((p) => p.id),
    );
  const own = (profile: Partial<typeof PROFILE>, of = bundle): string[] =>
    listed(profile, of)
      .filter((policyId) => policyId.startsWith('own.'))
      .toSorted();

  it('leaves out policies about others, and those whose conditions on the principal fail', () => {
    expect(own({})).toEqual(['own.dev']);
    expect(own({ organisationId: 'org-x' })).toEqual(['own.dev', 'own.theirs']);
    expect(own({ sector: 'bank', environment: 'production' })).toEqual(['own.banks']);
  });

  it('lists them by layer, outermost first, with their citations and texts', () => {
    const layers = effectivePolicy(bundle, PROFILE);
    expect(layers[0]?.layer).toBe('platform');
    const text = bundle.policies['base.grant'];
    expect(layers[0]?.policies).toContainEqual({ ...bundle.citations['base.grant'], text });
    expect(layers.at(-1)?.layer).toBe('request');
  });

  it('leaves out only policies about others where one cannot be compiled', () => {
    const text = rule('own.odd', 'when { decimal("1.0").lessThan(decimal("2.0")) }');
    const odd = { ...bundle, policies: { ...bundle.policies, 'own.odd': text } };
    expect(own({}, odd)).toEqual(['own.banks', 'own.dev']);
    expect(own({ organisationId: 'org-x' }, odd)).toEqual(['own.banks', 'own.dev', 'own.theirs']);
  });
});

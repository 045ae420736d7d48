import { describe, expect, it } from '@jest/globals';

import type { Endpoint } from '#libs/catalog';

import { refusalOf } from './refusal.js';
import { sampleCatalog } from './sample-catalog.spec-support.js';
import { shippedBundle } from './shipped-policies.spec-support.js';
import type { Decision, ExclusionGroup } from './types.js';

const bundle = shippedBundle();
const [openai, azure] = sampleCatalog(
  [],
  [],
  [
    { providerId: 'openai', modelId: 'a/b' },
    { providerId: 'azure', modelId: 'a/b' },
  ],
).endpoints as [Endpoint, Endpoint];

const refused = (...excluded: ExclusionGroup[]): Decision => ({
  policyVersion: bundle.version,
  catalogVersion: 'sha256:sample',
  permitted: [],
  permittedBy: [],
  excluded,
});
const by = (endpoint: Endpoint, ...policyIds: string[]): ExclusionGroup => ({
  code: 'forbidden',
  policyIds,
  endpoints: [endpoint],
});

describe('refusalOf', () => {
  it('is 403 where place alone is the reason', () => {
    const refusal = refusalOf(
      refused(by(openai, 'gdpr.ch5'), by(azure, 'cn.export', 'req.regions')),
      bundle,
      { model: 'a/b' },
    );
    expect(refusal).toMatchObject({
      status: 403,
      availability: {
        code: 'region_restricted',
        retryable: false,
        excluded_by: ['data_region', 'geo'],
        requested_models: ['a/b'],
        affected_providers: ['azure', 'openai'],
      },
    });
    expect(refusal.policies.map((p) => p.id)).toEqual(['cn.export', 'gdpr.ch5', 'req.regions']);
    expect(refusal.policies[1]).toEqual({
      id: 'gdpr.ch5',
      law: 'GDPR Art. 44-46',
      layer: 'jurisdiction',
      reason: bundle.citations['gdpr.ch5']?.reason,
    });
    expect(refusal.message).toContain('GDPR Art. 44-46');
  });

  it.each([
    ['training', ['base.no-training'], 'privacy_restricted', ['data_policy:training']],
    ['zero retention', ['req.zdr'], 'privacy_restricted', ['data_policy:zdr']],
    ['a missing contract', ['hipaa.baa'], 'privacy_restricted', ['data_policy:contract']],
    ['class', ['class.secret'], 'privacy_restricted', ['confidential']],
    [
      'place and privacy',
      ['gdpr.ch5', 'req.zdr'],
      'privacy_restricted',
      ['data_policy:zdr', 'geo'],
    ],
    ['providers named', ['req.only'], 'constraint_filtered', ['allowed_providers']],
    [
      'place and names',
      ['gdpr.ch5', 'req.only'],
      'constraint_filtered',
      ['allowed_providers', 'geo'],
    ],
  ])('is 404 for %s', (_name, ids, code, excludedBy) => {
    const refusal = refusalOf(refused(by(openai, ...ids)), bundle, { model: 'a/b' });
    expect(refusal.status).toBe(404);
    expect(refusal.availability).toMatchObject({ code, excluded_by: excludedBy });
  });

  it('is 404 where nothing offers the model', () => {
    const refusal = refusalOf(refused(), bundle, { model: ['a/b', 'c/d'] });
    expect(refusal).toMatchObject({
      status: 404,
      availability: { code: 'no_endpoints', requested_models: ['a/b', 'c/d'], excluded_by: [] },
      policies: [],
    });
  });

  it('says when policies could not be evaluated', () => {
    const failed = { code: 'evaluation-error', policyIds: [], endpoints: [openai] } as const;
    const refusal = refusalOf(refused(failed), bundle, { model: 'a/b' });
    expect(refusal).toMatchObject({
      status: 404,
      availability: { code: 'constraint_filtered', excluded_by: ['evaluation_error'] },
    });
  });

  it('quotes few reasons and lists all', () => {
    const ids = ['base.no-training', 'class.secret', 'gdpr.ch5', 'hipaa.baa', 'req.zdr'];
    const refusal = refusalOf(refused(by(openai, ...ids)), bundle, { model: 'a/b' });
    expect(refusal.policies).toHaveLength(5);
    expect(refusal.message).toMatch(/; and 2 more\.$/);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { Endpoint } from '#libs/catalog';
import { canonicalJson, sha256, type Json } from '#libs/kernel';

import { createDecider } from '../decider.js';
import { profileKey } from '../keys.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from '../sample-catalog.spec-support.js';
import { shippedBundle } from '../shipped-policies.spec-support.js';
import { rederive, type RecordedDecision, type RecordedEndpoints } from './rederive.js';

const catalog = sampleCatalog(
  [provider('known'), provider('unknown')],
  [model('lab/one'), model('lab/two')],
  [
    { providerId: 'known', modelId: 'lab/one' },
    { providerId: 'unknown', modelId: 'lab/one' },
    { providerId: 'unknown', modelId: 'lab/two' },
  ],
);
const decider = createDecider(shippedBundle(), catalog);

const bits = (endpoints: readonly Endpoint[]): RecordedEndpoints => {
  const bytes = Buffer.alloc(1);
  for (const { ordinal } of endpoints) bytes[0]! |= 1 << ordinal;
  return { count: endpoints.length, ordinalsBase64: bytes.toString('base64') };
};
const ids = (endpoints: readonly Endpoint[]): RecordedEndpoints => ({
  ids: endpoints.map((e) => e.id),
});

/** As ingress records it. */
function record(
  over: Partial<RecordedDecision> = {},
  { sets = ids, dataClass = 'public' as const, scope = 'lab/one' } = {},
): RecordedDecision {
  const asked = facts({ dataClass });
  const decision = decider.decide({
    profile: PROFILE,
    facts: asked,
    endpoints: scope === '*' ? catalog.endpoints : catalog.endpointsOf(scope),
    nowMs: NOW_MS,
  });
  const body = {
    policyVersion: decision.policyVersion,
    catalogVersion: decision.catalogVersion,
    profile: {
      key: profileKey(PROFILE, decider.bundle),
      sector: '',
      jurisdiction: '',
      environment: 'development',
    },
    facts: { ...asked, want: { ...asked.want } },
    scope,
    permittedBy: decision.permittedBy,
    permitted: sets(decision.permitted),
    excluded: decision.excluded.map((g) => ({
      code: g.code,
      policies: g.policyIds,
      endpoints: sets(g.endpoints),
    })),
    ...over,
  };
  return { digest: sha256(canonicalJson(body as unknown as Json)), ...body };
}

describe('a recorded verdict decided again', () => {
  it.each([
    ['by ids', record()],
    ['by ordinals', record({}, { sets: bits })],
    ['across models', record({}, { sets: bits, scope: '*' })],
  ])('is the same, %s', (_name, recorded) => {
    expect(rederive(recorded, decider, NOW_MS)).toMatchObject({ outcome: 'equal' });
  });

  it('shows a verdict that the bundle does not give', () => {
    const forged = record({ permitted: { ids: [catalog.endpoints[0]!.id] } });
    expect(rederive(forged, decider, NOW_MS)).toEqual({
      outcome: 'different',
      differences: [`${catalog.endpoints[1]!.id}: not in the record`],
    });
    const excused = record({ excluded: [] });
    expect(rederive(excused, decider, NOW_MS).outcome).toBe('equal'); // class public: nobody is excluded
    const lenient = { dataClass: 'internal' as never };
    const objected = record({}, lenient);
    expect(objected.excluded).not.toEqual([]);
    expect(rederive(record({ excluded: [] }, lenient), decider, NOW_MS).outcome).toBe('different');
  });

  it('shows a record that was changed after it was said', () => {
    const changed = { ...record(), scope: 'lab/two' };
    expect(rederive(changed, decider, NOW_MS)).toMatchObject({
      outcome: 'different',
      differences: ['the record is not what its digest says'],
    });
  });

  it('does not pretend to replay what it has not got', () => {
    const another = record({ policyVersion: 'sha256:another' });
    expect(rederive(another, decider, NOW_MS)).toMatchObject({ outcome: 'not-replayable' });
    const elsewhere = record({ catalogVersion: 'sha256:another' });
    expect(rederive(elsewhere, decider, NOW_MS)).toMatchObject({ outcome: 'not-replayable' });
    const nobody = record({ profile: {} });
    expect(rederive(nobody, decider, NOW_MS)).toMatchObject({ outcome: 'not-replayable' });
  });
});

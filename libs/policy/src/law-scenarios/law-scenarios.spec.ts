import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { FactName } from '#libs/catalog';

import { buildBundle } from '../build-bundle.js';
import { createDecider } from '../decider.js';
import { LAW_SCENARIOS } from './index.spec-data.js';
import type { LawScenario } from './scenario.spec-data.js';
import { facts, model, NOW_MS, sampleCatalog, stated } from '../sample-catalog.spec-support.js';
import { POLICY_DIR, shippedSources } from '../shipped-policies.spec-support.js';
import type { PolicyBundle } from '../types.js';

const bundles = new Map<string, PolicyBundle>();
function bundleWith(off: LawScenario['off']): PolicyBundle {
  const known = bundles.get(off ?? '');
  if (known) return known;
  const file = off === undefined ? undefined : join(POLICY_DIR, 'packs', `${off}.cedar.off`);
  const built = buildBundle({
    ...shippedSources,
    policies: {
      ...shippedSources.policies,
      ...(file !== undefined && { off: readFileSync(file, 'utf8') }),
    },
  });
  if (!built.ok) throw new Error(JSON.stringify(built.faults));
  bundles.set(off ?? '', built.bundle);
  return built.bundle;
}

function offered({ offer }: LawScenario) {
  const { contract = [], expired = {}, ofModel = {}, origin, openWeights } = offer;
  const known = Object.entries(offer.facts).filter(([, value]) => value !== undefined);
  const among = (signed: boolean): Record<string, unknown> =>
    Object.fromEntries(known.filter(([name]) => contract.includes(name as FactName) === signed));
  const host = {
    id: 'host',
    name: 'host',
    dialect: 'openai-chat' as const,
    credentialVariable: 'SOME_API_KEY',
    facts: [
      ...stated(among(false)),
      ...stated(among(true), { class: 'contract' }),
      ...stated(expired, { class: 'contract', expiresOn: '2026-10-21' }),
      ...stated(ofModel, {}, { model: 'lab/one' }),
    ],
  };
  const made = model('lab/one', {
    ...(origin !== undefined && { originCountry: origin }),
    ...(openWeights !== undefined && { openWeights }),
  });
  const { region = 'global' } = offer;
  return sampleCatalog([host], [made], [{ providerId: 'host', modelId: 'lab/one', region }]);
}

function verdict(scenario: LawScenario): { lawful: boolean; objecting: readonly string[] } {
  const { who = {}, asked, off } = scenario;
  const catalog = offered(scenario);
  const decision = createDecider(bundleWith(off), catalog).decide({
    profile: {
      organisationId: who.organisation ?? 'org',
      workspaceId: 'ws',
      keyId: 'key',
      sector: who.sector ?? 'general',
      jurisdiction: who.jurisdiction ?? 'EEA',
      environment: 'production',
    },
    facts: facts({
      dataClass: asked.dataClass ?? 'internal',
      dataTags: [...(asked.tags ?? [])].toSorted(),
      subjectRegions: [...(asked.subjects ?? [])].toSorted(),
      ...(asked.purpose !== undefined && { purpose: asked.purpose }),
    }),
    endpoints: catalog.endpoints,
    nowMs: NOW_MS,
  });
  return {
    lawful: decision.permitted.length === 1,
    objecting: decision.excluded.flatMap((g) => g.policyIds),
  };
}

describe('scenarios argued from the law', () => {
  it('are many, on both sides, and each is its own', () => {
    expect(LAW_SCENARIOS.length).toBeGreaterThan(60);
    expect(new Set(LAW_SCENARIOS.map((s) => s.name)).size).toBe(LAW_SCENARIOS.length);
    expect(LAW_SCENARIOS.filter((s) => s.lawful).length).toBeGreaterThan(20);
  });

  it.each(LAW_SCENARIOS)('$name', (scenario) => {
    const { lawful, objecting } = verdict(scenario);
    expect({ lawful, objecting: lawful ? [] : objecting }).toEqual({
      lawful: scenario.lawful,
      objecting: scenario.lawful ? [] : expect.arrayContaining([]),
    });
    if (scenario.regime !== undefined)
      expect(objecting.some((id) => id.startsWith(scenario.regime!))).toBe(true);
  });
});

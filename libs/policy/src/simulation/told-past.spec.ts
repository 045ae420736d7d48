import { describe, expect, it } from '@jest/globals';
import { organisationFacts, type CustomerFact, type ToldChange } from '#libs/catalog';

import { createDecider } from '../decider.js';
import { facts, model, NOW_MS, provider, sampleCatalog } from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import { recordedRequests, type RecordedSources } from './recorded-stream.js';
import { resimulate } from './resimulate.js';
import { ToldPast } from './told-past.js';

const statement = {
  provider: 'one',
  scope: {},
  fact: 'baaSigned' as const,
  value: true,
  evidence: {
    documentSha256: 'a'.repeat(64),
    title: 'agreement',
    class: 'contract' as const,
    validFrom: '2026-01-01',
    expiresOn: '2030-01-01',
  },
};
const fact = (id: string, organisationId = 'org-1'): CustomerFact => ({
  id,
  organisationId,
  ...statement,
});
const told = (change: string, subject: string, values: object): { data: ToldChange } => ({
  data: { change, subject, values: { ...values } },
});
const change = (kind: string, id: string, organisationId = 'org-1') =>
  told(`fact.${kind}`, id, { organisationId, ...(kind === 'proposed' && { statement }) });

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
const past = (...changes: readonly { data: ToldChange }[]): Promise<ToldPast> =>
  ToldPast.read({ changes: stream(changes) });

describe('what the log tells of the past', () => {
  it('has every set of facts that was ever in force, and none that was not', async () => {
    const { of } = await past(
      change('proposed', 'a'),
      change('approved', 'a'),
      change('proposed', 'b'),
      change('approved', 'b'),
      // Told twice by a relay that was killed.
      change('approved', 'b'),
      change('suspended', 'a'),
      change('revoked', 'a'),
      change('revoked', 'b'),
    ).then((p) => ({ of: async (v: string) => (await p.facts(v))?.derived }));
    const version = (...all: readonly CustomerFact[]) => organisationFacts(all).version;
    const suspended = { ...fact('a'), suspended: true as const };
    for (const all of [[fact('a')], [fact('b'), fact('a')], [suspended, fact('b')], [fact('b')]])
      expect(await of(version(...all))).toBe(true);
    for (const all of [[suspended], [{ ...fact('a'), value: false }], [fact('a', 'org-2')]])
      expect(await of(version(...all))).toBeUndefined();
  });

  it('believes no change of a fact by another organisation, and none of what nobody proposed', async () => {
    const p = await past(
      change('proposed', 'a'),
      change('approved', 'a', 'org-2'),
      change('approved', 'never'),
    );
    expect(await p.facts(organisationFacts([fact('a')]).version)).toBeUndefined();
    expect(await p.facts(organisationFacts([fact('a', 'org-2')]).version)).toBeUndefined();
  });

  it('asks what was kept beside the log only for what the log does not tell, and once', async () => {
    const kept = organisationFacts([fact('kept')]);
    const asked: string[] = [];
    const p = await ToldPast.read({
      changes: stream([change('proposed', 'a'), change('approved', 'a')]),
      keptFacts: async (version) => {
        asked.push(version);
        return version === kept.version ? kept : undefined;
      },
    });
    expect(await p.facts(organisationFacts([fact('a')]).version)).toMatchObject({ derived: true });
    for (let times = 0; times < 2; times += 1)
      expect(await p.facts(kept.version)).toEqual({ facts: kept, derived: false });
    expect(asked).toEqual([kept.version]);
  });
});

describe('a simulation over askers that shared a verdict', () => {
  const catalog = sampleCatalog(
    [provider('one', { trainsOnApiData: false })],
    [model('a/one')],
    [{ providerId: 'one', modelId: 'a/one' }],
  );
  const before = createDecider(shippedBundle(), catalog);
  // No rule before reads the environment, so both workspaces were given one verdict, which names the first's.
  const after = createDecider(
    shippedBundle({
      own: policyText(
        'own.production',
        'platform',
        `forbid ${ANYBODY}`,
        'when { principal.workspace.environment == "production" }',
      ),
    }),
    catalog,
  );
  const generation = (workspaceId: string) => ({
    opened: {
      generationId: `gen-${workspaceId}`,
      organisationId: 'org-1',
      workspaceId,
      keyId: 'key-1',
      model: 'a/one',
      facts: { ...facts(), want: {} },
      versions: { policy: before.bundle.version },
      decision: { digest: 'sha256:shared', decision: 'permit' as const },
    },
  });
  const verdict = {
    data: {
      digest: 'sha256:shared',
      profile: { sector: 'general', jurisdiction: 'US', environment: 'development' },
      scope: 'a/one',
    },
  };
  const refusedIn = async (attributesOf?: RecordedSources['attributesOf']) => {
    const { byWorkspace } = await resimulate({
      recorded: recordedRequests({
        generations: stream([generation('ws-dev'), generation('ws-prod')]),
        verdictOf: async () => verdict,
        ...(attributesOf && { attributesOf }),
      }),
      before,
      after,
      nowMs: NOW_MS,
    });
    return byWorkspace.filter((w) => w.newlyRefused > 0).map((w) => w.name);
  };

  it('takes who asked from the log, not from the verdict that they shared', async () => {
    const workspace = (id: string, environment: string) =>
      told('workspace.created', id, { organisationId: 'org-1', environment });
    const p = await past(
      told('organisation.created', 'org-1', { sector: 'general', jurisdiction: 'US' }),
      workspace('ws-dev', 'development'),
      workspace('ws-prod', 'production'),
    );
    expect(await refusedIn((g) => p.attributesOf(g))).toEqual(['ws-prod']);
    // What the verdict alone says of both.
    expect(await refusedIn()).toEqual([]);
  });
});

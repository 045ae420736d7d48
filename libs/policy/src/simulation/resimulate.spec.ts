import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { loadCatalog, type Catalog } from '#libs/catalog';
import { firstChoiceAgain, type RecordedPlanInputs } from '#libs/routing';

import { createDecider } from '../decider.js';
import {
  facts,
  model,
  NOW_MS,
  PROFILE,
  provider,
  sampleCatalog,
} from '../sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from '../shipped-policies.spec-support.js';
import { recordedRequest, type RecordedRequest } from './recorded-request.js';
import { recordedMonth } from './recorded-traffic.spec-support.js';
import { resimulate, type Replan } from './resimulate.js';

const known = { trainsOnApiData: false, retentionDays: 0 } as const;
const catalog = sampleCatalog(
  [
    provider('eu-host', {
      ...known,
      hqCountry: 'DE',
      processingRegions: ['DE'],
      pinned: true,
      operatorAccess: ['DE'],
    }),
    provider('us-host', {
      ...known,
      hqCountry: 'US',
      processingRegions: ['US'],
      pinned: true,
      operatorAccess: ['US'],
    }),
  ],
  [model('lab/one'), model('lab/two')],
  [
    { providerId: 'eu-host', modelId: 'lab/one' },
    { providerId: 'us-host', modelId: 'lab/one' },
    { providerId: 'us-host', modelId: 'lab/two' },
  ],
);

const noUs = policyText(
  'test.no-us',
  'platform',
  `forbid ${ANYBODY}`,
  `unless { resource.provider has hq && resource.provider.hq != "US" }`,
);
const never = policyText(
  'test.never',
  'platform',
  `forbid ${ANYBODY}`,
  `when { context.purpose == "nobody-says-this" }`,
);

const request = (over: Partial<RecordedRequest> = {}): RecordedRequest => ({
  generationId: 'gen-1',
  profile: PROFILE,
  facts: facts(),
  scope: 'lab/one',
  outcome: 'permit',
  policyVersion: 'sha256:then',
  ...over,
});

const cheapest: Replan = (_request, permitted) => {
  const cost = (id: string): bigint => (id === 'us-host' ? 10n : 30n);
  const [first] = permitted.toSorted((a, b) => Number(cost(a.providerId) - cost(b.providerId)));
  return first && { endpoint: first, costPicoUsd: cost(first.providerId), quality: 0.5 };
};

describe('recorded traffic under another bundle', () => {
  const before = createDecider(shippedBundle(), catalog);
  const after = createDecider(shippedBundle({ 'more.cedar': noUs + never }), catalog);
  const run = (recorded: readonly RecordedRequest[], swap = false) =>
    resimulate({
      recorded,
      before: swap ? after : before,
      after: swap ? before : after,
      nowMs: NOW_MS,
      replan: cheapest,
    });

  it('says what is refused, what moves, and what that costs', async () => {
    const report = await run([
      request(),
      request({ generationId: 'gen-2', scope: 'lab/two' }),
      request({ generationId: 'gen-3', scope: '*' }),
      request({ scope: 'lab/gone' }),
    ]);
    expect(report).toMatchObject({
      requests: 4,
      newlyRefused: 1,
      newlyAllowed: 0,
      unchanged: 2,
      moved: 2,
      unknownModel: 1,
      differsFromRecord: 0,
      cost: { compared: 2, beforePicoUsd: '20', afterPicoUsd: '60', refusedPicoUsd: '10' },
      quality: { compared: 2, before: 0.5, after: 0.5 },
    });
    expect(report.byModel.find((r) => r.name === 'lab/two')).toMatchObject({ newlyRefused: 1 });
    expect(report.byProvider).toEqual([
      { name: 'us-host', requests: 3, newlyRefused: 1, newlyAllowed: 0, moved: 2 },
    ]);
    expect(report.byCountry[0]?.name).toBe('US/global');
    expect(report.leftWithout).toEqual([
      { workspace: 'ws-default', model: 'lab/two', requests: 1 },
    ]);
    expect(report.examples.newlyRefused).toEqual([
      {
        generationId: 'gen-2',
        workspace: 'ws-default',
        model: 'lab/two',
        policies: ['test.no-us'],
      },
    ]);
  });

  it('names rules that would not have touched anything, and only those', async () => {
    const report = await run([request()]);
    expect(report.neverHit).toContain('test.never');
    expect(report.neverHit).not.toContain('test.no-us');
    expect(report.neverHit).not.toContain('base.grant');
    expect(report.rules.find((r) => r.id === 'test.no-us')).toMatchObject({
      after: 1,
      newlyRefused: 0,
    });
    expect(report.rules.find((r) => r.id === 'test.no-us')).not.toHaveProperty('before');
  });

  it('the way back is the mirror image', async () => {
    const report = await run([request({ scope: 'lab/two', outcome: 'forbid' })], true);
    expect(report).toMatchObject({
      newlyAllowed: 1,
      newlyRefused: 0,
      cost: { allowedPicoUsd: '10' },
    });
    expect(report.examples.newlyAllowed[0]?.policies).toEqual(['test.no-us']);
  });

  it('says where today’s answer is not the recorded one', async () => {
    expect((await run([request({ outcome: 'forbid' })])).differsFromRecord).toBe(1);
  });

  it('reads a record of the log, and nothing where nothing was decided', () => {
    const generation = {
      generationId: 'gen-9',
      organisationId: 'o',
      workspaceId: 'w',
      keyId: 'k',
      model: 'lab/one',
      facts: { ...facts(), want: { zdr: true, only: ['eu-host'] } },
      versions: { policy: 'sha256:p' },
      decision: { digest: 'sha256:d', decision: 'permit' as const },
      plan: { acrossModels: false, candidates: [] },
    };
    const attributes = { sector: 'finance', jurisdiction: 'DE', environment: 'test' };
    const read = recordedRequest(generation, attributes);
    expect(read).toMatchObject({
      scope: 'lab/one',
      profile: { workspaceId: 'w', sector: 'finance' },
      facts: { want: { zdr: true, confidential: false, only: ['eu-host'] } },
    });
    const across = { ...generation, plan: { acrossModels: true, candidates: [] } };
    expect(recordedRequest(across, attributes)?.scope).toBe('*');
    const { decision: _decision, ...undecided } = generation;
    expect(recordedRequest(undecided, attributes)).toBeUndefined();
  });
});

describe('a month of traffic over the built-in catalog', () => {
  let builtIn: Catalog;
  beforeAll(() => {
    const data = join(import.meta.dirname, '../../../catalog/data');
    builtIn = loadCatalog((name) => readFileSync(join(data, name), 'utf8'));
  });

  it('is decided again; the rate is printed', async () => {
    const models = [...builtIn.models.keys()]
      .filter((id) => builtIn.endpointsOf(id).length > 3)
      .slice(0, 60);
    const replan: Replan = ({ plan }, permitted) =>
      firstChoiceAgain(plan as RecordedPlanInputs | undefined, permitted, builtIn.models);
    const before = createDecider(shippedBundle(), builtIn);
    const after = createDecider(shippedBundle({ 'more.cedar': noUs }), builtIn);
    const simulate = (requests: number) =>
      resimulate({
        recorded: recordedMonth({ requests, models }),
        before,
        after,
        nowMs: NOW_MS,
        replan,
      });
    const startedAt = performance.now();
    const cpu = process.cpuUsage();
    const report = await simulate(100_000);
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const rate = Math.round(report.requests / seconds);
    const ratePerCpuSecond = Math.round(report.requests / ((user + system) / 1e6));
    process.stdout.write(
      `simulation: ${report.requests} recorded requests in ${seconds.toFixed(2)} s = ${rate}/s (${ratePerCpuSecond} per CPU second), ${report.groups} groups, ` +
        `${report.newlyRefused} newly refused, ${report.moved} moved\n`,
    );
    expect(report.requests).toBe(100_000);
    expect(report.newlyRefused).toBeGreaterThan(0);
    expect(report.moved).toBeGreaterThan(0);
    expect(report.newlyAllowed).toBe(0);
    expect(BigInt(report.cost.beforePicoUsd)).toBeGreaterThan(0n);
  }, 120_000);
});

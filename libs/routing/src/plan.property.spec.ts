import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { endpointId } from '#libs/kernel';
import type { Endpoint, Model } from '#libs/catalog';
import { healthSnapshot } from './health-snapshot.js';
import { CANDIDATES_MAX, plan, recordPlan, samePlan } from './plan.js';
import { STRATEGIES, type EndpointHealth, type Plan, type PlanInputs } from './types.js';

const AT_MS = 1_790_000_000_000;
const MODELS: ReadonlyMap<string, Model> = new Map(
  [undefined, 0, 0.5, 0.97, 1].map((score, i) => [
    `a/m${i}`,
    {
      id: `a/m${i}`,
      name: 'm',
      author: 'a',
      contextTokens: 1,
      ...(score !== undefined && {
        quality: { score, benchmark: 'b', source: 's', date: '2026-01-01' },
      }),
    },
  ]),
);

const endpoints = fc
  .array(
    fc.record({
      model: fc.nat(4),
      provider: fc.nat(3),
      region: fc.constantFrom('eu', 'us', 'global'),
      contract: fc.constantFrom('default', 'subscription'),
      contextTokens: fc.constantFrom(0, 1_000, 100_000),
      maxOutputTokens: fc.constantFrom(0, 500, 8_000),
      tools: fc.boolean(),
      structuredOutput: fc.boolean(),
      image: fc.boolean(),
      price: fc.option(fc.tuple(fc.nat(10_000_000), fc.nat(10_000_000)), { nil: undefined }),
      breaker: fc.constantFrom('none', 'closed', 'half-open', 'open'),
      failures: fc.nat(20),
      failedAgoMs: fc.option(fc.nat(60_000), { nil: undefined }),
      firstTokenMsP50: fc.option(fc.nat(5_000), { nil: undefined }),
    }),
    { maxLength: 40 },
  )
  .map((specs) => ({
    endpoints: specs.map((s, i): Endpoint => ({
      id: endpointId(`p${s.provider}~${i}`),
      ordinal: i,
      modelId: `a/m${s.model}`,
      providerId: `p${s.provider}`,
      upstreamModel: 'm',
      region: s.region,
      contract: s.contract,
      dialect: 'openai-chat',
      contextTokens: s.contextTokens,
      maxOutputTokens: s.maxOutputTokens,
      inputModalities: s.image ? ['text', 'image'] : ['text'],
      outputModalities: ['text'],
      tools: s.tools,
      reasoning: false,
      structuredOutput: s.structuredOutput,
      ...(s.price !== undefined && {
        price: {
          inputPicoUsdPerToken: BigInt(s.price[0]),
          outputPicoUsdPerToken: BigInt(s.price[1]),
        },
      }),
    })),
    health: specs.flatMap((s, i): EndpointHealth[] =>
      s.breaker === 'none'
        ? []
        : [
            {
              endpointId: `p${s.provider}~${i}`,
              successes: 10,
              failures: s.failures,
              breaker: s.breaker as EndpointHealth['breaker'],
              ...(s.failedAgoMs !== undefined && { lastFailureAtMs: AT_MS - s.failedAgoMs }),
              ...(s.firstTokenMsP50 !== undefined && { firstTokenMsP50: s.firstTokenMsP50 }),
            },
          ],
    ),
  }));

const inputs = fc
  .record({
    offers: endpoints,
    strategy: fc.constantFrom(...STRATEGIES),
    seed: fc.stringMatching(/^[0-9a-f]{16}$/),
    acrossModels: fc.boolean(),
    budgeted: fc.boolean(),
    inputTokensEstimate: fc.constantFrom(10, 900, 50_000),
    maxOutputTokens: fc.option(fc.constantFrom(1, 400, 4_000), { nil: undefined }),
    tools: fc.boolean(),
    structuredOutput: fc.boolean(),
    image: fc.boolean(),
    requireParameters: fc.boolean(),
    order: fc.option(fc.uniqueArray(fc.constantFrom('p0', 'p1', 'p2/eu', 'p9')), {
      nil: undefined,
    }),
    allowFallbacks: fc.boolean(),
    sort: fc.option(fc.constantFrom('price', 'throughput', 'latency'), { nil: undefined }),
    maxPrompt: fc.option(fc.nat(10_000_000), { nil: undefined }),
  })
  .map((r): PlanInputs => ({
    strategy: r.strategy,
    seed: r.seed,
    acrossModels: r.acrossModels,
    permitted: r.offers.endpoints,
    models: MODELS,
    requirements: {
      inputTokensEstimate: r.inputTokensEstimate,
      ...(r.maxOutputTokens !== undefined && { maxOutputTokens: r.maxOutputTokens }),
      tools: r.tools,
      structuredOutput: r.structuredOutput,
      inputModalities: r.image ? ['image', 'text'] : ['text'],
      requireParameters: r.requireParameters,
    },
    preferences: {
      allowFallbacks: r.allowFallbacks,
      ...(r.order !== undefined && { order: r.order }),
      ...(r.sort !== undefined && { sort: r.sort as 'price' }),
      ...(r.maxPrompt !== undefined && {
        maxPrice: { promptPicoUsdPerToken: String(r.maxPrompt) },
      }),
    },
    health: healthSnapshot(AT_MS, new Map(r.offers.health.map((h) => [h.endpointId, h]))),
    atMs: AT_MS,
    budgeted: r.budgeted,
  }));

function planOf(i: PlanInputs): Plan {
  const made = plan(i);
  return 'refused' in made ? made.plan : made;
}

describe('any plan', () => {
  it('accounts for each permitted endpoint once: candidate, excluded or cut; and for no other', () => {
    fc.assert(
      fc.property(inputs, (i) => {
        const made = planOf(i);
        const permitted = new Set<string>(i.permitted.map((e) => e.id));
        const named = [
          ...made.candidates.map((c) => c.endpoint.id as string),
          ...made.excluded.map((e) => e.endpointId),
        ];
        expect(new Set(named).size).toBe(named.length);
        expect(named.every((id) => permitted.has(id))).toBe(true);
        expect(named.length + made.cut).toBe(permitted.size);
        expect(made.candidates.length).toBeLessThanOrEqual(CANDIDATES_MAX);
      }),
    );
  });

  it('is the same for the same inputs, in whatever order the endpoints come', () => {
    fc.assert(
      fc.property(inputs, (i) => {
        const again = { ...i, permitted: i.permitted.map((e) => ({ ...e })) };
        const shuffled = recordPlan(planOf({ ...i, permitted: [...i.permitted].reverse() }));
        const once = recordPlan(planOf(i));
        expect(samePlan(once, recordPlan(planOf(again)))).toBe(true);
        expect(shuffled.candidates).toEqual(once.candidates);
      }),
    );
  });

  it('shows finite scores in ascending order', () => {
    fc.assert(
      fc.property(inputs, (i) => {
        const scores = planOf(i).candidates.map((c) => c.score);
        expect(scores.every(Number.isFinite)).toBe(true);
        expect(scores).toEqual([...scores].sort((a, b) => a - b));
      }),
    );
  });

  it('never puts an open breaker before a closed one', () => {
    fc.assert(
      fc.property(inputs, (i) => {
        const states = planOf(i).candidates.map(
          (c) => i.health.endpoints.get(c.endpoint.id)?.breaker === 'open',
        );
        expect(states).toEqual([...states].sort((a, b) => Number(a) - Number(b)));
      }),
    );
  });

  it('holds every hard ceiling', () => {
    fc.assert(
      fc.property(inputs, (i) => {
        const ceiling = i.preferences.maxPrice?.promptPicoUsdPerToken;
        for (const { endpoint } of planOf(i).candidates) {
          if (ceiling !== undefined)
            expect(endpoint.price!.inputPicoUsdPerToken <= BigInt(ceiling)).toBe(true);
          if (i.budgeted) expect(endpoint.price).toBeDefined();
          expect(endpoint.contextTokens).toBeGreaterThanOrEqual(
            i.requirements.inputTokensEstimate + (i.requirements.maxOutputTokens ?? 0),
          );
        }
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import { endpointId } from '#libs/kernel';
import type { Endpoint, Model } from '#libs/catalog';
import { NO_HEALTH, healthSnapshot } from './health-snapshot.js';
import { CANDIDATES_MAX, plan, recordPlan, samePlan } from './plan.js';
import type { EndpointHealth, Plan, PlanInputs, PlanRefusal, Preferences } from './types.js';

const AT_MS = 1_790_000_000_000;
const SEED = '0123456789abcdef';

function endpoint(
  name: string,
  over: Partial<Endpoint> & { usdPerMillion?: number } = {},
): Endpoint {
  const { usdPerMillion = 1, ...rest } = over;
  const price = BigInt(Math.round(usdPerMillion * 1_000_000));
  return {
    id: endpointId(name),
    ordinal: 0,
    modelId: 'a/m',
    providerId: name.split('~')[0]!,
    upstreamModel: 'm',
    region: 'global',
    contract: 'default',
    dialect: 'openai-chat',
    contextTokens: 100_000,
    maxOutputTokens: 8_000,
    inputModalities: ['text'],
    outputModalities: ['text'],
    tools: true,
    reasoning: false,
    structuredOutput: true,
    price: { inputPicoUsdPerToken: price, outputPicoUsdPerToken: price },
    ...rest,
  };
}

/** As `endpoint`, from a source that names no price. */
function unpriced(name: string): Endpoint {
  const { price: _none, ...rest } = endpoint(name);
  return rest;
}

function model(id: string, score?: number): [string, Model] {
  const quality =
    score === undefined
      ? {}
      : { quality: { score, benchmark: 'b', source: 's', date: '2026-01-01' } };
  return [id, { id, name: id, author: 'a', contextTokens: 100_000, ...quality }];
}

function inputs(permitted: Endpoint[], over: Partial<PlanInputs> = {}): PlanInputs {
  return {
    strategy: 'cost-first',
    seed: SEED,
    acrossModels: false,
    permitted,
    models: new Map([model('a/m')]),
    requirements: {
      inputTokensEstimate: 1_000,
      tools: false,
      structuredOutput: false,
      inputModalities: ['text'],
      requireParameters: false,
    },
    preferences: { allowFallbacks: true },
    health: NO_HEALTH,
    atMs: AT_MS,
    budgeted: false,
    ...over,
  };
}

function planned(i: PlanInputs): Plan {
  const made = plan(i);
  if ('refused' in made) throw new Error(`refused: ${made.reasons.join()}`);
  return made;
}

function refused(i: PlanInputs): PlanRefusal {
  const made = plan(i);
  if (!('refused' in made)) throw new Error('not refused');
  return made;
}

const ids = (p: Plan): string[] => p.candidates.map((c) => c.endpoint.id);
const seeds = (n: number): string[] =>
  Array.from({ length: n }, (_, i) =>
    Math.imul(i + 1, 0x9e3779b1)
      .toString(16)
      .replace('-', '')
      .padStart(8, '0')
      .slice(0, 8)
      .repeat(2),
  );

function health(
  ...rows: (Partial<EndpointHealth> & { endpointId: string })[]
): PlanInputs['health'] {
  return healthSnapshot(
    AT_MS,
    new Map(
      rows.map((r) => [r.endpointId, { successes: 10, failures: 0, breaker: 'closed', ...r }]),
    ),
  );
}

describe('hard filters', () => {
  const ask = (
    r: Partial<PlanInputs['requirements']>,
    e: Partial<Endpoint>,
    over: Partial<PlanInputs> = {},
  ) => {
    const base = inputs([endpoint('p', e)], over);
    return refused({ ...base, requirements: { ...base.requirements, ...r } }).reasons;
  };

  it('names why an endpoint cannot serve', () => {
    expect(ask({ inputTokensEstimate: 99_000, maxOutputTokens: 2_000 }, {})).toEqual([
      'context_length',
    ]);
    expect(ask({ inputTokensEstimate: 60_000 }, { maxInputTokens: 50_000 })).toEqual([
      'context_length',
    ]);
    expect(ask({ maxOutputTokens: 8_001 }, {})).toEqual(['max_output']);
    expect(ask({ inputModalities: ['image', 'text'] }, {})).toEqual(['modality']);
    expect(ask({}, { outputModalities: ['image'] })).toEqual(['modality']);
    expect(ask({ tools: true, requireParameters: true }, { tools: false })).toEqual([
      'require_parameters',
    ]);
    expect(ask({ tools: true }, { tools: false }, { acrossModels: true })).toEqual([
      'require_parameters',
    ]);
    expect(ask({}, {}, { disabled: new Set(['p']) })).toEqual(['disabled']);
  });

  it('reads structured output that is not established as missing', () => {
    const { structuredOutput: _unknown, ...rest } = endpoint('p');
    const base = inputs([rest]);
    const requirements = { ...base.requirements, structuredOutput: true, requireParameters: true };
    expect(refused({ ...base, requirements }).reasons).toEqual(['require_parameters']);
  });

  it('holds max_price hard, also by the tier that applies, and refuses the unpriced under it', () => {
    const tiered = endpoint('tiered', {
      price: {
        inputPicoUsdPerToken: 1_000_000n,
        outputPicoUsdPerToken: 1_000_000n,
        tiers: [
          {
            aboveInputTokens: 500,
            price: { inputPicoUsdPerToken: 3_000_000n, outputPicoUsdPerToken: 1_000_000n },
          },
        ],
      },
    });
    const made = planned(
      inputs(
        [endpoint('cheap'), endpoint('dear', { usdPerMillion: 2.5 }), tiered, unpriced('none')],
        {
          preferences: { allowFallbacks: true, maxPrice: { promptPicoUsdPerToken: '2000000' } },
        },
      ),
    );
    expect(ids(made)).toEqual(['cheap']);
    expect(made.excluded.map((e) => e.reason)).toEqual(['max_price', 'max_price', 'max_price']);
  });

  it('refuses an unpriced endpoint under a budget and puts it last otherwise', () => {
    const both = [unpriced('none'), endpoint('priced')];
    expect(planned(inputs(both, { budgeted: true })).excluded).toEqual([
      { endpointId: 'none', reason: 'unpriced_under_budget' },
    ]);
    for (const strategy of ['cost-first', 'balanced', 'quality-first'] as const)
      expect(ids(planned(inputs(both, { strategy })))).toEqual(['priced', 'none']);
  });

  it('says apart that nothing was permitted and that nothing fits', () => {
    expect(refused(inputs([])).refused).toBe('nothing_permitted');
    expect(refused(inputs([endpoint('p', { outputModalities: ['image'] })])).refused).toBe(
      'nothing_fits',
    );
  });
});

describe('provider.order', () => {
  const three = [
    endpoint('a'),
    endpoint('b', { usdPerMillion: 2 }),
    endpoint('c', { usdPerMillion: 3 }),
  ];
  const ordered = (preferences: Preferences) => planned(inputs(three, { preferences }));

  it('comes before the strategy, with the others behind', () => {
    expect(ids(ordered({ order: ['c', 'b'], allowFallbacks: true }))).toEqual(['c', 'b', 'a']);
  });
  it('is all there is without fallbacks', () => {
    const made = ordered({ order: ['c', 'b'], allowFallbacks: false });
    expect(ids(made)).toEqual(['c', 'b']);
    expect(made.excluded).toEqual([{ endpointId: 'a', reason: 'not_in_order' }]);
  });
  it('without order, no fallbacks means the first choice alone', () => {
    const made = ordered({ allowFallbacks: false });
    expect([ids(made), made.cut]).toEqual([['a'], 2]);
  });
  it('a suffixed slug names one region', () => {
    const eu = endpoint('v~eu', { region: 'eu', usdPerMillion: 5 });
    const us = endpoint('v~us', { region: 'us' });
    const made = planned(
      inputs([us, eu], { preferences: { order: ['v/eu'], allowFallbacks: false } }),
    );
    expect(ids(made)).toEqual(['v~eu']);
  });
});

describe('strategies on a named model', () => {
  const three = [
    endpoint('three', { usdPerMillion: 3 }),
    endpoint('one'),
    endpoint('two', { usdPerMillion: 2 }),
  ];

  it('cost-first ranks by expected cost and says it exactly', () => {
    const made = planned(inputs(three));
    expect(ids(made)).toEqual(['one', 'two', 'three']);
    expect(made.candidates[0]?.expectedCostPicoUsd).toBe(1_512_000_000n);
  });

  it('balanced draws with weight 1/price²: at 1 : 3 dollars nine to one', () => {
    const two = [endpoint('one'), endpoint('three', { usdPerMillion: 3 })];
    let first = 0;
    const runs = seeds(4_000);
    for (const seed of runs)
      if (ids(planned(inputs(two, { strategy: 'balanced', seed })))[0] === 'one') first++;
    expect(first / runs.length).toBeGreaterThan(0.88);
    expect(first / runs.length).toBeLessThan(0.92);
  });

  it('breaks ties by the seed, not by the name', () => {
    const equal = [endpoint('a'), endpoint('b')];
    const firsts = new Set(seeds(50).map((seed) => ids(planned(inputs(equal, { seed })))[0]));
    expect(firsts.size).toBe(2);
  });

  it('a draw does not depend on who else stands in the list, nor where', () => {
    for (const seed of seeds(50)) {
      const all = ids(planned(inputs(three, { strategy: 'balanced', seed })));
      const reversed = ids(planned(inputs([...three].reverse(), { strategy: 'balanced', seed })));
      const without = ids(planned(inputs(three.slice(1), { strategy: 'balanced', seed })));
      expect(reversed).toEqual(all);
      expect(without).toEqual(all.filter((id) => id !== 'three'));
    }
  });

  it('sort overrules the strategy; unknown speed is last', () => {
    const h = health(
      { endpointId: 'three', firstTokenMsP50: 100, tokensPerSecondP50: 20 },
      { endpointId: 'two', firstTokenMsP50: 300, tokensPerSecondP50: 90 },
    );
    const by = (sort: NonNullable<Preferences['sort']>) =>
      ids(
        planned(
          inputs(three, {
            strategy: 'balanced',
            health: h,
            preferences: { allowFallbacks: true, sort },
          }),
        ),
      );
    expect(by('latency')).toEqual(['three', 'two', 'one']);
    expect(by('throughput')).toEqual(['two', 'three', 'one']);
    expect(by('price')).toEqual(['one', 'two', 'three']);
  });

  it('keeps an endpoint without tools as a last choice', () => {
    const base = inputs([
      endpoint('no-tools', { tools: false }),
      endpoint('tools', { usdPerMillion: 9 }),
    ]);
    const made = planned({ ...base, requirements: { ...base.requirements, tools: true } });
    expect(ids(made)).toEqual(['tools', 'no-tools']);
  });
});

describe('strategies across models', () => {
  const models = new Map([
    model('a/best', 0.9),
    model('a/near', 0.86),
    model('a/poor', 0.2),
    model('a/new'),
  ]);
  const four = [
    endpoint('new', { modelId: 'a/new', usdPerMillion: 0.01 }),
    endpoint('poor', { modelId: 'a/poor', usdPerMillion: 0.1 }),
    endpoint('near', { modelId: 'a/near', usdPerMillion: 2 }),
    endpoint('best', { modelId: 'a/best', usdPerMillion: 10 }),
  ];
  const by = (strategy: PlanInputs['strategy'], over: Partial<PlanInputs> = {}) =>
    ids(planned(inputs(four, { strategy, acrossModels: true, models, ...over })));

  it('cost-first takes the cheapest that is good enough; unknown quality is last', () => {
    expect(by('cost-first')).toEqual(['near', 'best', 'poor', 'new']);
  });
  it('cost-first is plain cost where no quality is known', () => {
    expect(by('cost-first', { models: new Map() })).toEqual(['new', 'poor', 'near', 'best']);
  });
  it('quality-first ranks by quality, then cost', () => {
    expect(by('quality-first')).toEqual(['best', 'near', 'poor', 'new']);
  });
  it('balanced weighs quality and log cost', () => {
    expect(by('balanced')).toEqual(['near', 'best', 'poor', 'new']);
  });
  it('never chooses a subscription or a withdrawn offer before a metered one', () => {
    const plans = [
      endpoint('sub', { contract: 'subscription', usdPerMillion: 0 }),
      endpoint('old', { status: 'deprecated', usdPerMillion: 0.1 }),
      endpoint('live'),
    ];
    expect(ids(planned(inputs(plans, { acrossModels: true })))[0]).toBe('live');
  });
});

describe('health', () => {
  const two = [endpoint('cheap'), endpoint('dear', { usdPerMillion: 9 })];
  const first = (h: PlanInputs['health'], over: Partial<PlanInputs> = {}) =>
    ids(planned(inputs(two, { health: h, ...over })));

  it('puts an open breaker last, even before the caller’s order', () => {
    const h = health({ endpointId: 'cheap', breaker: 'open' });
    expect(first(h)).toEqual(['dear', 'cheap']);
    expect(first(h, { preferences: { order: ['cheap'], allowFallbacks: true } })).toEqual([
      'dear',
      'cheap',
    ]);
  });
  it('puts a failure of the last 30 s last, an older or a negligible one not', () => {
    const failed = (agoMs: number, failures: number) =>
      first(health({ endpointId: 'cheap', failures, lastFailureAtMs: AT_MS - agoMs }));
    expect(failed(29_999, 1)[0]).toBe('dear');
    expect(failed(30_000, 1)[0]).toBe('cheap');
    const busy = health({
      endpointId: 'cheap',
      successes: 1_000,
      failures: 1,
      lastFailureAtMs: AT_MS,
    });
    expect(first(busy)[0]).toBe('cheap');
  });
  it('gives a half-open endpoint its place in about a tenth of the plans', () => {
    const h = health({ endpointId: 'cheap', breaker: 'half-open' });
    const runs = seeds(2_000);
    const probes = runs.filter((seed) => first(h, { seed })[0] === 'cheap').length / runs.length;
    expect(probes).toBeGreaterThan(0.07);
    expect(probes).toBeLessThan(0.13);
  });
  it('puts what is known to be slower than preferred later', () => {
    const h = health({ endpointId: 'cheap', firstTokenMsP50: 900, tokensPerSecondP50: 10 });
    const prefer = (p: Partial<Preferences>) =>
      first(h, { preferences: { allowFallbacks: true, ...p } })[0];
    expect(prefer({ preferredMaxLatencyMs: 800 })).toBe('dear');
    expect(prefer({ preferredMaxLatencyMs: 1_000 })).toBe('cheap');
    expect(prefer({ preferredMinTokensPerSecond: 20 })).toBe('dear');
  });
});

describe('the record', () => {
  const many = Array.from({ length: 30 }, (_, i) => endpoint(`p${i}`, { usdPerMillion: i + 1 }));

  it('keeps at most eight candidates, in ascending score, and counts the rest', () => {
    const made = planned(inputs(many));
    expect(made.candidates).toHaveLength(CANDIDATES_MAX);
    expect(made.cut).toBe(22);
    const scores = made.candidates.map((c) => c.score);
    expect(scores).toEqual([...scores].sort((a, b) => a - b));
  });

  it('recomputes equal, and shows any difference', () => {
    const a = recordPlan(planned(inputs(many)));
    const stored = JSON.parse(JSON.stringify({ ...a, at: 'beside' })) as typeof a;
    expect(samePlan(stored, recordPlan(planned(inputs(many))))).toBe(true);
    expect(samePlan(a, recordPlan(planned(inputs(many.slice(1)))))).toBe(false);
    expect(samePlan(a, recordPlan(planned(inputs(many, { seed: 'ffffffffffffffff' }))))).toBe(
      false,
    );
  });

  it('bounds the recorded exclusions and counts the others', () => {
    const unfit = Array.from({ length: 50 }, (_, i) =>
      endpoint(`x${i}`, { outputModalities: ['image'] }),
    );
    const record = recordPlan(refused(inputs(unfit)).plan);
    expect([record.excluded.length, record.excludedCut]).toEqual([40, 10]);
  });

  it('refuses a seed that is none', () => {
    expect(() => plan(inputs(many, { seed: 'xyz' }))).toThrow('16 lower-case hex');
  });
});

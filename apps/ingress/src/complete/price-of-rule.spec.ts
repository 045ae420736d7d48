import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadCatalog, type Endpoint } from '#libs/catalog';
import { packageRoot } from '#libs/platform';
import { NO_HEALTH, plan, type Plan, type PlanInputs } from '#libs/routing';
import type { Verdict } from '../decide/verdict.js';
import { PriceOfRule } from './price-of-rule.js';

const data = join(packageRoot(import.meta.dirname), 'libs', 'catalog', 'data');
const catalog = loadCatalog((name) => readFileSync(join(data, name), 'utf8'));

const inputs = (permitted: readonly Endpoint[]): PlanInputs => ({
  strategy: 'cost-first',
  seed: '0123456789abcdef',
  acrossModels: false,
  permitted,
  models: catalog.models,
  requirements: {
    inputTokensEstimate: 1_000,
    tools: false,
    structuredOutput: false,
    inputModalities: ['text'],
    requireParameters: false,
  },
  preferences: { allowFallbacks: true },
  health: NO_HEALTH,
  atMs: 0,
  budgeted: true,
});
const verdict = (permitted: readonly Endpoint[], excluded: readonly Endpoint[]): Verdict =>
  ({
    decision: {
      permitted,
      excluded: [{ code: 'forbidden', policyIds: ['x'], endpoints: excluded }],
    },
  }) as unknown as Verdict;

/** Endpoints of a model with many prices, the cheapest first. */
const [model] = [...catalog.models.keys()].filter((id) => {
  const priced = catalog
    .endpointsOf(id)
    .filter((e) => e.price && e.price.outputPicoUsdPerToken > 0n);
  return priced.length >= 16 && priced.length <= 24;
});
const priced = catalog
  .endpointsOf(model!)
  .filter((e) => e.price && e.price.outputPicoUsdPerToken > 0n && e.contextTokens > 8_000);
const rank = plan(inputs(priced)) as Plan;
const [cheapest] = rank.candidates;
const others = priced.filter((e) => e.id !== cheapest!.endpoint.id);

describe('the price of the rule', () => {
  it('is what the permitted first choice costs above the free one', () => {
    const given = inputs(others);
    const planned = plan(given) as Plan;
    const price = new PriceOfRule(() => true).of(
      verdict(others, [cheapest!.endpoint]),
      given,
      planned,
    );
    const expected = planned.candidates[0]!.expectedCostPicoUsd! - cheapest!.expectedCostPicoUsd!;
    expect(BigInt(price!.costPicoUsd!)).toBe(expected);
    expect(expected).toBeGreaterThanOrEqual(0n);
  });

  it('is nothing where nothing callable is excluded', () => {
    const given = inputs(others);
    const planned = plan(given) as Plan;
    const price = new PriceOfRule(() => false).of(
      verdict(others, [cheapest!.endpoint]),
      given,
      planned,
    );
    expect(price?.costPicoUsd).toBe('0');
  });

  it('is sampled where a second plan is dear', () => {
    const some = catalog.endpoints.slice(0, 100);
    const given = inputs(some.slice(50));
    const planned = plan(given) as Plan;
    const rule = new PriceOfRule(() => true);
    const v = verdict(some.slice(50), some.slice(0, 50));
    const worked = Array.from({ length: 512 }, () => rule.of(v, given, planned)).filter(Boolean);
    expect(worked).toHaveLength(2);
  });

  it('costs microseconds', () => {
    const half = others.slice(0, Math.ceil(others.length / 2));
    const given = inputs(half);
    const planned = plan(given) as Plan;
    const rule = new PriceOfRule(() => true);
    const v = verdict(
      half,
      priced.filter((e) => !half.includes(e)),
    );
    const run = (times: number): void => {
      for (let i = 0; i < times; i += 1) rule.of(v, given, planned);
    };
    run(20_000);
    const cpu = process.cpuUsage();
    run(20_000);
    const { user, system } = process.cpuUsage(cpu);
    const eachUs = (user + system) / 20_000;
    process.stdout.write(
      `price of the rule: ${eachUs.toFixed(1)} µs over ${priced.length} endpoints\n`,
    );
    expect(eachUs).toBeLessThan(20);
  });
});

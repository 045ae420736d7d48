// Figures, printed and not asserted: a shared machine would make them lie. `npm run bench` measures alone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { loadCatalog } from '#libs/catalog';
import type { Endpoint } from '#libs/catalog';

import { DecisionCache } from './decision-cache.js';
import { Decider } from './decider.js';
import { factsKey, profileKey } from './keys.js';
import { facts, NOW_MS, PROFILE } from './sample-catalog.spec-support.js';
import { ANYBODY, policyText, shippedBundle } from './shipped-policies.spec-support.js';
import type { Decision, RequestFacts } from './types.js';

const POLICIES = 100;
const ROUNDS = 300;
const WARM_UP_ROUNDS = 60;

const DATA = join(import.meta.dirname, '../../catalog/data');
const catalog = loadCatalog((name) => readFileSync(join(DATA, name), 'utf8'));

/** The shipped policies, filled up with rules that all read the endpoint and never match. */
const shipped = Object.keys(shippedBundle().policies).length;
const bundle = shippedBundle(
  Object.fromEntries(
    Array.from({ length: POLICIES - shipped }, (_, at) => [
      `more-${at}`,
      policyText(
        `more.n${at}`,
        'platform',
        `forbid ${ANYBODY}`,
        `unless { if resource has regions then resource.contract != "none-${at}" else true }`,
      ),
    ]),
  ),
);
const decider = new Decider(bundle, catalog);

/** As many offers of as many providers as there are: few share a class. */
const twenty: readonly Endpoint[] = [
  ...new Map(catalog.endpoints.map((e) => [e.providerId, e])).values(),
].slice(0, 20);

const decide = (request: RequestFacts, endpoints = catalog.endpoints): Decision =>
  decider.decide({ profile: PROFILE, facts: request, endpoints, nowMs: NOW_MS });

/** Median and worst tenth of `run`, in microseconds. */
function micros(run: (round: number) => void): string {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) run(-1 - round);
  const times = Array.from({ length: ROUNDS }, (_, round) => {
    const start = performance.now();
    run(round);
    return (performance.now() - start) * 1_000;
  }).toSorted((a, b) => a - b);
  const at = (q: number): string => (times[Math.floor(q * ROUNDS)] ?? Number.NaN).toFixed(1);
  return `p50 ${at(0.5)} µs, p90 ${at(0.9)} µs`;
}

describe('the speed of decisions', () => {
  it(`is printed: ${POLICIES} policies, ${catalog.endpoints.length} endpoints`, () => {
    const cache = new DecisionCache<Decision>();
    const key = {
      policyVersion: bundle.version,
      catalogVersion: catalog.version,
      profile: profileKey(PROFILE, bundle),
      scope: '*',
    };
    const asked = facts({ dataTags: ['personal'] });
    cache.set({ ...key, facts: factsKey(asked, bundle) }, decide(asked));
    // A request never seen before: another place of its subjects.
    const fresh = (n: number): RequestFacts => facts({ subjectRegions: [`Place ${n}`] });
    const figures = {
      'cached decision': micros(() =>
        cache.get({ ...key, facts: factsKey(asked, bundle) }, NOW_MS),
      ),
      [`cold, ${twenty.length} endpoints`]: micros((n) => decide(fresh(n), twenty)),
      'cold, whole catalog': micros((n) => decide(fresh(n - 10_000))),
    };
    for (const [name, figure] of Object.entries(figures)) {
      process.stdout.write(`${name} × ${POLICIES} policies: ${figure}\n`);
    }
    expect(decider.evaluator).toBe('compiled');
    expect(Object.keys(bundle.policies)).toHaveLength(POLICIES);
    expect(cache.size).toBe(1);
  });
});

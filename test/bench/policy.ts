// The policy engine's figures (issue 5, "Figures to reach"), in this process and alone: no server, no log.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCatalog, type Endpoint } from '#libs/catalog';
import { packageRoot } from '#libs/platform';
import {
  buildBundle,
  createDecider,
  DecisionCache,
  factsKey,
  profileKey,
  resimulate,
  type Decider,
  type Decision,
  type PrincipalProfile,
  type RecordedRequest,
  type RequestFacts,
} from '#libs/policy';
import { readPolicyDirectory } from '../../apps/policy/src/read-policy-directory.js';
import type { Figure } from './figures.js';

const POLICIES = 100;
const ENDPOINTS_COLD = 20;
const ROUNDS = 300;
const WARM_UP_ROUNDS = 60;
const RECORDED = 100_000;
const ROOT = packageRoot(import.meta.dirname);

const PROFILE: PrincipalProfile = {
  organisationId: 'org-bench',
  workspaceId: 'ws-bench',
  keyId: 'key-bench',
  sector: 'general',
  jurisdiction: 'EEA',
  environment: 'development',
};

/** A context that no round has seen before: what is cold must not be remembered. */
const factsOf = (round: number): RequestFacts => ({
  dataClass: 'internal',
  dataTags: [`bench-${round}`],
  subjectRegions: ['US'],
  purpose: 'development',
  want: { zdr: false, denyDataCollection: false, confidential: false },
});

/** Median of `run`, in microseconds. */
function medianMicros(run: (round: number) => void): number {
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) run(-1 - round);
  const times = Array.from({ length: ROUNDS }, (_, round) => {
    const startMs = performance.now();
    run(round);
    return (performance.now() - startMs) * 1_000;
  }).toSorted((a, b) => a - b);
  return times[Math.floor(ROUNDS / 2)]!;
}

/** The shipped rules, filled up to a hundred with rules that read every endpoint and never object. */
function hundredPolicies(): ReturnType<typeof buildBundle> {
  const sources = readPolicyDirectory(join(ROOT, 'policies'));
  const shipped = Object.values(sources.policies).reduce(
    (n, text) => n + text.split('@id(').length - 1,
    0,
  );
  const filler = Array.from(
    { length: Math.max(0, POLICIES - shipped) },
    (_, n) => `@id("bench.n${n}")
@layer("platform")
@law("none")
@reason("Filler of the benchmark")
forbid (principal, action == Custos::Action::"sendPrompt", resource)
unless { if resource has regions then resource.contract != "none-${n}" else true };
`,
  ).join('\n');
  return buildBundle({ ...sources, policies: { ...sources.policies, 'bench.cedar': filler } });
}

function* month(models: readonly string[]): Generator<RecordedRequest> {
  for (let n = 0; n < RECORDED; n += 1)
    yield {
      generationId: `gen-${n}`,
      profile: { ...PROFILE, workspaceId: `ws-${n % 20}`, keyId: `key-${n % 80}` },
      facts: {
        ...factsOf(0),
        dataTags: n % 3 === 0 ? ['personal'] : [],
        subjectRegions: n % 2 ? ['EEA'] : [],
      },
      scope: models[(n * 7) % models.length]!,
      outcome: 'permit',
      policyVersion: '',
    };
}

export async function policyFigures(): Promise<readonly Figure[]> {
  const catalog = loadCatalog((name) =>
    readFileSync(join(ROOT, 'libs/catalog/data', name), 'utf8'),
  );
  const built = hundredPolicies();
  if (!built.ok) throw new Error(`the bundle of the benchmark: ${built.faults[0]?.message ?? ''}`);
  const { bundle } = built;
  const decider = createDecider(bundle, catalog);
  const decide = (d: Decider, round: number, endpoints: readonly Endpoint[]): Decision =>
    d.decide({ profile: PROFILE, facts: factsOf(round), endpoints, nowMs: Date.now() });
  const few = [...new Map(catalog.endpoints.map((e) => [e.providerId, e])).values()].slice(
    0,
    ENDPOINTS_COLD,
  );

  const cache = new DecisionCache<Decision>();
  const key = () => ({
    policyVersion: bundle.version,
    catalogVersion: catalog.version,
    profile: profileKey(PROFILE, bundle),
    facts: factsKey(factsOf(0), bundle),
    scope: '*',
  });
  cache.set(key(), decide(decider, 0, few));
  const PER_ROUND = 100;
  const cached =
    medianMicros(() => {
      for (let n = 0; n < PER_ROUND; n += 1) cache.get(key(), Date.now());
    }) / PER_ROUND;
  const cold = medianMicros((round) => void decide(decider, round, few));
  const whole =
    medianMicros((round) => void decide(decider, 10_000 + round, catalog.endpoints)) / 1_000;

  const models = [...catalog.models.keys()]
    .filter((id) => catalog.endpointsOf(id).length > 3)
    .slice(0, 60);
  const startedAtMs = performance.now();
  await resimulate({
    recorded: month(models),
    before: createDecider(bundle, catalog),
    after: decider,
    nowMs: Date.now(),
  });
  const perSecond = RECORDED / ((performance.now() - startedAtMs) / 1_000);
  const size = `${Object.keys(bundle.policies).length} policies`;
  return [
    {
      name: 'policy: cached decision, key and look-up',
      unit: 'µs',
      reach: 2,
      aim: 2,
      measured: cached,
      from: size,
    },
    {
      name: `policy: cold decision, ${ENDPOINTS_COLD} endpoints of as many providers`,
      unit: 'µs',
      reach: 300,
      aim: 300,
      measured: cold,
      from: `${size}, ${decider.evaluator}, sampled shadow checks included`,
    },
    {
      name: `policy: whole catalog of ${catalog.endpoints.length} endpoints decided again`,
      unit: 'ms',
      reach: 150,
      aim: 150,
      measured: whole,
      from: size,
    },
    {
      name: 'policy: simulation, µs per recorded request (50 = 20,000 a second)',
      unit: 'µs',
      reach: 50,
      aim: 50,
      measured: 1e6 / perSecond,
      from: `${Math.round(perSecond)} requests/s over ${RECORDED}, cold included`,
    },
  ];
}

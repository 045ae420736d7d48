import type { PrincipalProfile, RequestFacts, DataClass } from '../types.js';
import type { RecordedRequest } from './recorded-request.js';

const DAY_MS = 86_400_000;

/** mulberry32: the same month on any machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface Month {
  readonly requests: number;
  readonly models: readonly string[];
  readonly seed?: number;
  /** One request in so many leaves the model to the gateway; 0 = none. */
  readonly autoEvery?: number;
}

const CLASSES: readonly DataClass[] = ['public', 'internal', 'internal', 'confidential'];
const TAGS = [
  [],
  [],
  [],
  ['personal'],
  ['phi'],
  ['personal', 'us-bulk-sensitive'],
  ['cn-important'],
];
const SUBJECTS = [[], [], ['EEA'], ['US'], ['EEA', 'US'], ['CN']];
const ORGANISATIONS = [
  ['org-default', 'any', 'DE'],
  ['starter-eu-bank', 'finance', 'DE'],
  ['starter-us-hospital', 'health', 'US'],
  ['starter-us-agency', 'government', 'US'],
] as const;
const WORKSPACES = 20;
const KEYS = 80;

function keyWith(
  n: number,
  pick: <T>(of: readonly T[]) => T,
  models: readonly string[],
): {
  readonly profile: PrincipalProfile;
  readonly usual: RequestFacts;
  readonly favourites: readonly string[];
} {
  const workspace = n % WORKSPACES;
  const [organisationId, sector, jurisdiction] = ORGANISATIONS[workspace % ORGANISATIONS.length]!;
  return {
    profile: {
      organisationId,
      workspaceId: `ws-${workspace}`,
      keyId: `k-${n}`,
      sector,
      jurisdiction,
      environment: 'production',
    },
    // An application calls a few models, not all of them.
    favourites: [pick(models), pick(models), pick(models)],
    usual: {
      dataClass: pick(CLASSES),
      dataTags: pick(TAGS),
      subjectRegions: pick(SUBJECTS),
      purpose: pick(['development', 'support']),
      want: { zdr: false, denyDataCollection: false, confidential: false },
    },
  };
}

/** Recorded requests of thirty days, one after the other, never all in memory. */
export function* recordedMonth({
  requests,
  models,
  seed = 1,
  autoEvery = 0,
}: Month): Generator<RecordedRequest> {
  const random = seeded(seed);
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const keys = Array.from({ length: KEYS }, (_, n) => keyWith(n, pick, models));
  for (let n = 0; n < requests; n += 1) {
    const { profile, usual, favourites } = pick(keys);
    // Most requests go with the defaults of their key.
    const facts =
      random() < 0.9
        ? usual
        : { ...usual, dataTags: pick(TAGS), want: { ...usual.want, zdr: random() < 0.5 } };
    const atMs = Date.parse('2026-10-22T00:00:00Z') + Math.floor((n / requests) * 30 * DAY_MS);
    // What a replan reads, as the router records it.
    const plan = {
      candidates: [],
      at: new Date(atMs).toISOString(),
      strategy: 'balanced',
      seed: n.toString(16).padStart(16, '0'),
      acrossModels: false,
      requirements: {
        inputTokensEstimate: 50 + Math.floor(random() * 2_000),
        tools: false,
        structuredOutput: false,
        inputModalities: ['text'],
        requireParameters: false,
      },
      preferences: { allowFallbacks: true },
    };
    yield {
      generationId: `gen-${atMs}-${n}`,
      profile,
      facts,
      scope:
        autoEvery > 0 && n % autoEvery === autoEvery - 1
          ? '*'
          : random() < 0.98
            ? pick(favourites)
            : pick(models),
      outcome: 'permit',
      policyVersion: 'sha256:then',
      plan,
    };
  }
}

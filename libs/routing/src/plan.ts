import { canonicalJson, type Json } from '#libs/kernel';
import type { Endpoint } from '#libs/catalog';
import { Qualification } from './qualify.js';
import { compareRanked, Ranking, type Ranked } from './rank.js';
import { parseSeed } from './seeded-draw.js';
import type {
  Candidate,
  Plan,
  PlanExclusionReason,
  PlanInputs,
  PlanRecord,
  PlanRefusal,
} from './types.js';

/** Most endpoints one request will try; more would outlast any client's patience and swell the record. */
export const CANDIDATES_MAX = 8;
/** Most exclusions listed in the record (an event stays under 16 KiB); the others are counted. */
export const EXCLUDED_RECORDED_MAX = 40;

/**
 * Orders the permitted endpoints for one request. Depends on `inputs` alone: no clock, no state, no random source but
 * the seed. Candidates are a subset of `inputs.permitted` without duplicates. Throws `invalid_seed`.
 */
export function plan(inputs: PlanInputs): Plan | PlanRefusal {
  const seed = parseSeed(inputs.seed);
  const qualification = new Qualification(inputs);
  const qualified: Endpoint[] = [];
  const excluded: { endpointId: string; reason: PlanExclusionReason }[] = [];
  for (const endpoint of inputs.permitted) {
    const reason = qualification.objection(endpoint);
    if (reason === undefined) qualified.push(endpoint);
    else excluded.push({ endpointId: endpoint.id, reason });
  }
  const ranking = new Ranking(inputs, seed, qualification, qualified);
  const candidates = best(ranking, qualified, candidateLimit(inputs)).map((r) =>
    candidate(r, ranking),
  );
  const made: Plan = {
    strategy: inputs.strategy,
    seed: inputs.seed,
    candidates,
    excluded,
    cut: qualified.length - candidates.length,
  };
  if (candidates.length > 0) return made;
  return {
    refused: inputs.permitted.length === 0 ? 'nothing_permitted' : 'nothing_fits',
    reasons: reasonsByFrequency(excluded),
    plan: made,
  };
}

/** `allow_fallbacks: false` without an order means: the first choice or nothing. */
function candidateLimit(inputs: PlanInputs): number {
  const { allowFallbacks, order } = inputs.preferences;
  return !allowFallbacks && order === undefined ? 1 : CANDIDATES_MAX;
}

/** The first `limit` in rank order, in one pass: thousands of endpoints are never sorted for the sake of eight. */
function best(ranking: Ranking, endpoints: readonly Endpoint[], limit: number): Ranked[] {
  const kept: Ranked[] = [];
  for (const endpoint of endpoints) {
    const next = ranking.rank(endpoint);
    let at = kept.length;
    while (at > 0 && compareRanked(next, kept[at - 1]!) < 0) at--;
    if (at >= limit) continue;
    kept.splice(at, 0, next);
    if (kept.length > limit) kept.pop();
  }
  return kept;
}

function candidate(ranked: Ranked, ranking: Ranking): Candidate {
  const { endpoint, rate, quality } = ranked;
  const made: { -readonly [K in keyof Candidate]: Candidate[K] } = {
    endpoint,
    score: ranking.score(ranked),
  };
  if (rate !== undefined) {
    const input = BigInt(ranking.inputTokens);
    const output = BigInt(ranking.expectedOutputTokens(endpoint));
    made.expectedCostPicoUsd =
      input * rate.exact.input + output * rate.exact.output + rate.exact.request;
  }
  if (quality !== undefined) made.quality = quality;
  return made;
}

function reasonsByFrequency(
  excluded: readonly { readonly reason: PlanExclusionReason }[],
): PlanExclusionReason[] {
  const counts = new Map<PlanExclusionReason, number>();
  for (const { reason } of excluded) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([r]) => r);
}

/** What of a plan goes into the audit record: JSON, amounts as decimal strings, exclusions bounded. */
export function recordPlan(made: Plan): PlanRecord {
  return {
    strategy: made.strategy,
    seed: made.seed,
    candidates: made.candidates.map((c) => ({
      endpoint: c.endpoint.id,
      score: c.score,
      ...(c.expectedCostPicoUsd !== undefined && {
        expectedCostPicoUsd: c.expectedCostPicoUsd.toString(),
      }),
      ...(c.quality !== undefined && { quality: c.quality }),
    })),
    excluded: made.excluded
      .slice(0, EXCLUDED_RECORDED_MAX)
      .map((e) => ({ endpoint: e.endpointId, reason: e.reason })),
    cut: made.cut,
    excludedCut: Math.max(0, made.excluded.length - EXCLUDED_RECORDED_MAX),
  };
}

/** Whether a recomputed plan is the recorded one, in every candidate, score, cost and exclusion. */
export function samePlan(recorded: PlanRecord, recomputed: PlanRecord): boolean {
  return canonicalJson(comparable(recorded)) === canonicalJson(comparable(recomputed));
}

/** Only a plan's own members: an audit event's plan carries its inputs beside them. */
function comparable(r: PlanRecord): Json {
  const { strategy, seed, candidates, excluded, cut, excludedCut } = r;
  return { strategy, seed, candidates, excluded, cut, excludedCut } as unknown as Json;
}

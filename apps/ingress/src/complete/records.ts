import type {
  AttemptRef,
  DecisionRefData,
  GenerationOpened,
  GenerationRefused,
  HoldData,
  PlanData,
  PrincipalData,
  UsageData,
} from '#libs/audit-events';
import type { Principal } from '#libs/identity';
import { parseUsd, type GenerationId } from '#libs/kernel';
import type { AttemptEnd, AttemptTarget } from '#libs/providers';
import type { Plan, PlanInputs } from '#libs/routing';
import type { Endpoint } from '#libs/catalog';
import type { Verdict } from '../decide/verdict.js';

/** An event stays far under its ceiling: the rest is in the content-addressed decision and recomputable. */
const EXCLUDED_LISTED_MAX = 12;

let isoOfMs = NaN;
let isoText = '';

/** RFC 3339 with milliseconds. Most calls of a loop turn name the same one, and formatting costs most of a µs. */
export function iso(unixMs: number): string {
  if (unixMs !== isoOfMs) {
    isoText = new Date(unixMs).toISOString();
    isoOfMs = unixMs;
  }
  return isoText;
}

export const principalData = (p: Principal): PrincipalData => ({
  organisationId: p.organisation.id,
  workspaceId: p.workspace.id,
  keyId: p.key.id,
});

export const attemptRef = (
  id: GenerationId,
  number: number,
  endpoint: Endpoint,
  target: AttemptTarget,
): AttemptRef => ({
  number,
  requestId: `${id}.${number}`,
  endpoint: endpoint.id,
  provider: endpoint.providerId,
  region: endpoint.region,
  simulated: target.simulated,
});

export const decisionRef = (v: Verdict, atMs: number): DecisionRefData => ({
  at: iso(atMs),
  digest: v.digest,
  decision: v.decision.permitted.length > 0 ? 'permit' : 'forbid',
  reasons: v.reasons,
  permitted: v.decision.permitted.length,
  excluded: v.excludedCount,
});

/** `providers` and `priceOfRule` are left out where they are undefined. */
export function planData(
  plan: Plan,
  inputs: PlanInputs,
  { providers, priceOfRule }: PlanBeside = {},
): PlanData {
  return {
    at: iso(inputs.atMs),
    strategy: plan.strategy,
    seed: plan.seed,
    acrossModels: inputs.acrossModels,
    requirements: { ...inputs.requirements },
    preferences: { ...inputs.preferences },
    candidates: plan.candidates.map((c) => ({
      endpoint: c.endpoint.id,
      score: c.score,
      ...(c.expectedCostPicoUsd === undefined
        ? {}
        : { expectedCostPicoUsd: c.expectedCostPicoUsd.toString() }),
      ...(c.quality === undefined ? {} : { quality: c.quality }),
    })),
    excluded: plan.excluded
      .slice(0, EXCLUDED_LISTED_MAX)
      .map((e) => ({ endpoint: e.endpointId, reason: e.reason })),
    cut: plan.cut,
    excludedCut: Math.max(0, plan.excluded.length - EXCLUDED_LISTED_MAX),
    budgeted: inputs.budgeted,
    ...(providers && { providers }),
    ...(priceOfRule && { priceOfRule }),
  };
}

/** What a plan was made beside of: so that it can be made again, and what the rules cost it. */
export interface PlanBeside {
  readonly providers?: PlanData['providers'] | undefined;
  readonly priceOfRule?: PlanData['priceOfRule'] | undefined;
}

export type OpenedParts = Omit<
  GenerationOpened,
  keyof PrincipalData | 'generationId' | 'receivedAt'
>;

export const openedData = (
  id: GenerationId,
  principal: Principal,
  receivedAtMs: number,
  parts: OpenedParts,
): GenerationOpened => ({
  generationId: id,
  ...principalData(principal),
  receivedAt: iso(receivedAtMs),
  ...parts,
  ...(principal.organisation.prepaid === true && { payer: 'prepaid' as const }),
});

export const refusedData = (
  id: GenerationId,
  principal: Principal,
  receivedAtMs: number,
  parts: Omit<GenerationRefused, keyof PrincipalData | 'generationId' | 'receivedAt'>,
): GenerationRefused => ({
  generationId: id,
  ...principalData(principal),
  receivedAt: iso(receivedAtMs),
  ...parts,
});

export const holdData = (
  atMs: number,
  amountPicoUsd: bigint,
  leases: HoldData['leases'],
): HoldData => ({ at: iso(atMs), amountPicoUsd: amountPicoUsd.toString(), leases });

/** Bytes of text per token where nobody counted: the usual English figure; marked `counted`, never `reported`. */
export const BYTES_PER_TOKEN = 4;

/** Output tokens as we count them where nobody reports any: a delta is at least a token, and four bytes are about one. */
export const countedTokens = (contentDeltas: number, contentBytes: number): number =>
  Math.max(contentDeltas, Math.ceil(contentBytes / BYTES_PER_TOKEN));

/**
 * Usage as the provider reported it, else as we counted it: a delta is at least a token, and four bytes are about
 * one. `reached` is false where the provider cannot have seen the request.
 */
export function usageData(end: AttemptEnd, inputTokensEstimate: number): UsageData {
  const u = end.usage;
  if (u) {
    const { costUsd, ...counts } = u;
    return { ...counts, basis: 'reported', ...reportedCost(costUsd) };
  }
  // Of a broken answer the provider's input counts are known where it told them first; the output is what came of it.
  const outputTokens = countedTokens(end.contentDeltas, end.contentBytes);
  if (end.usageSoFar === undefined)
    return { inputTokens: inputTokensEstimate, outputTokens, basis: 'counted' };
  const { costUsd: _, ...soFar } = end.usageSoFar;
  return {
    ...soFar,
    outputTokens: Math.max(outputTokens, soFar.outputTokens),
    basis: 'counted',
  };
}

function reportedCost(costUsd: string | undefined): { readonly reportedCostPicoUsd?: string } {
  if (costUsd === undefined) return {};
  try {
    return { reportedCostPicoUsd: parseUsd(costUsd).toString() };
  } catch {
    return {}; // finer than pico-USD or not a decimal: their figure is informative, ours is what is billed
  }
}

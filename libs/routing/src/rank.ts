import type { Endpoint } from '#libs/catalog';
import { figuresOf, rateFor, type Rate } from './endpoint-figures.js';
import { arenaScore, priceDraw, shownScore, type ObjectiveKind } from './objective.js';
import { orderPosition, type Qualification } from './qualify.js';
import { draw, type Seed } from './seeded-draw.js';
import type { EndpointHealth, PlanInputs } from './types.js';

/** Output expected where the caller names no `max_tokens`: about the mean of chat answers; only ranking reads it. */
export const EXPECTED_OUTPUT_TOKENS = 512;
/** OpenRouter's rule: an endpoint that failed within this time goes after the others. */
export const RECENT_FAILURE_MS = 30_000;
/** Below this share of failures in the window, a single failure of a busy endpoint is noise, not an outage. */
export const OUTAGE_FAILURE_SHARE = 0.05;
/** Share of plans in which a half-open endpoint keeps its ordinary place, so that it can prove itself. */
export const PROBE_SHARE = 0.1;
/**
 * cost-first across models: the cheapest among those with at least this share of the best known quality. Half, because
 * our table is on the scale of a hard benchmark, where the best model is far ahead: with the 95 % that RouteLLM's easier
 * questions suggest, one outlier was always the only one left.
 */
export const QUALITY_BAR = 0.5;

// Weights of the band, most significant first. Read a score's integer part as these digits:
// breaker open · place in provider.order · unfit · recent failure · below preferred speed · quality tier.
const GOOD_ENOUGH = 0;
const BELOW_BAR = 1;
const QUALITY_UNKNOWN = 2;
const QUALITY_TIERS = 3;
const SHORT = QUALITY_TIERS;
const FAILING = SHORT * 2;
const UNFIT = FAILING * 2;
const ORDER = UNFIT * 2;

const DRAW_TIE = 0x7f4a7c15;
const DRAW_PRICE = 0x3c6ef372;
const DRAW_PROBE = 0x1b873593;

export interface Ranked {
  readonly endpoint: Endpoint;
  readonly rate: Rate | undefined;
  readonly quality: number | undefined;
  readonly band: number;
  /** The strategy's objective, non-negative, lower is better; Infinity where it cannot be known. */
  readonly objective: number;
  readonly costPicoUsd: number;
  readonly tie: number;
}

/** Ranks qualified endpoints of one request; everything that all of them share is read once. */
export class Ranking {
  readonly #inputs: PlanInputs;
  readonly #seed: Seed;
  readonly #qualification: Qualification;
  /** The estimate that ranking and expected cost share. */
  readonly inputTokens: number;
  readonly #orderLength: number;
  readonly #qualityBar: number | undefined;
  readonly #outputTokens: number;
  readonly #kind: ObjectiveKind;

  constructor(
    inputs: PlanInputs,
    seed: Seed,
    qualification: Qualification,
    qualified: readonly Endpoint[],
  ) {
    this.#inputs = inputs;
    this.#kind = objectiveKind(inputs);
    this.inputTokens = inputs.requirements.inputTokensEstimate;
    this.#seed = seed;
    this.#qualification = qualification;
    this.#orderLength = inputs.preferences.order?.length ?? 0;
    this.#outputTokens = inputs.requirements.maxOutputTokens ?? EXPECTED_OUTPUT_TOKENS;
    this.#qualityBar = inputs.acrossModels ? qualityBar(inputs, qualified) : undefined;
  }

  rank(endpoint: Endpoint): Ranked {
    const figures = figuresOf(endpoint);
    const rate = rateFor(figures, this.inputTokens);
    const output = this.expectedOutputTokens(endpoint);
    const costPicoUsd =
      rate === undefined
        ? Infinity
        : this.inputTokens * rate.input + output * rate.output + rate.request;
    const quality = this.#inputs.models.get(endpoint.modelId)?.quality?.score;
    const health = this.#inputs.health.endpoints.get(endpoint.id);
    return {
      endpoint,
      rate,
      quality,
      band: this.#band(endpoint, figures.idHash, quality, health),
      objective: this.#objective(figures.idHash, costPicoUsd, quality, health),
      costPicoUsd,
      tie: draw(this.#seed, figures.idHash, DRAW_TIE),
    };
  }

  expectedOutputTokens(endpoint: Endpoint): number {
    return Math.min(this.#outputTokens, endpoint.maxOutputTokens);
  }

  /** The number that is recorded: band plus the objective squeezed into [0, 1) without changing its order. */
  score(ranked: Ranked): number {
    const { band, objective, quality } = ranked;
    const belowBar = quality !== undefined && this.#qualityTier(quality) === BELOW_BAR;
    return shownScore(band, objective, belowBar ? 'quality' : this.#kind);
  }

  #band(
    endpoint: Endpoint,
    idHash: number,
    quality: number | undefined,
    health: EndpointHealth | undefined,
  ): number {
    const { preferences } = this.#inputs;
    let band = this.#qualityTier(quality);
    if (this.#unfit(endpoint)) band += UNFIT;
    if (preferences.order !== undefined) band += orderPosition(endpoint, preferences.order) * ORDER;
    if (health === undefined) return band;
    const slow =
      preferences.preferredMaxLatencyMs !== undefined &&
      (health.firstTokenMsP50 ?? 0) > preferences.preferredMaxLatencyMs;
    const thin =
      preferences.preferredMinTokensPerSecond !== undefined &&
      (health.tokensPerSecondP50 ?? Infinity) < preferences.preferredMinTokensPerSecond;
    if (slow || thin) band += SHORT;
    if (health.breaker === 'open') return band + ORDER * (this.#orderLength + 1);
    if (health.breaker === 'half-open') {
      if (draw(this.#seed, idHash, DRAW_PROBE) >= PROBE_SHARE) band += FAILING;
    } else if (failedRecently(health, this.#inputs.atMs)) band += FAILING;
    return band;
  }

  /**
   * Soft reasons to go late: a capability that is not established; and where we choose the model, an offer that its
   * provider is about to change or withdraw, or whose zero price is a subscription's and says nothing of its cost.
   */
  #unfit(endpoint: Endpoint): boolean {
    if (this.#qualification.lacksCapability(endpoint)) return true;
    if (!this.#inputs.acrossModels) return false;
    const { status, contract } = endpoint;
    return status === 'deprecated' || status === 'alpha' || contract === 'subscription';
  }

  #qualityTier(quality: number | undefined): number {
    if (this.#qualityBar === undefined) return GOOD_ENOUGH;
    if (quality === undefined) return QUALITY_UNKNOWN;
    const barred = this.#inputs.strategy === 'cost-first' && quality < this.#qualityBar;
    return barred ? BELOW_BAR : GOOD_ENOUGH;
  }

  #objective(
    idHash: number,
    costPicoUsd: number,
    quality: number | undefined,
    health: EndpointHealth | undefined,
  ): number {
    switch (this.#kind) {
      case 'price':
        // Below the bar the better model comes first: who cannot have good and cheap gets good.
        return quality !== undefined && this.#qualityTier(quality) === BELOW_BAR
          ? 1 - quality
          : costPicoUsd;
      case 'latency':
        return health?.firstTokenMsP50 ?? Infinity;
      case 'throughput':
        return 1 / (health?.tokensPerSecondP50 ?? 0);
      case 'quality':
        return quality === undefined ? 1 : 1 - quality;
      case 'arena':
        return 1 - arenaScore(quality ?? 0, costPicoUsd);
      case 'race':
        return priceDraw(costPicoUsd, draw(this.#seed, idHash, DRAW_PRICE));
    }
  }
}

/** `provider.sort` overrules the strategy; balanced means a price draw within one model, a score across models. */
function objectiveKind(inputs: PlanInputs): ObjectiveKind {
  if (inputs.preferences.sort !== undefined) return inputs.preferences.sort;
  switch (inputs.strategy) {
    case 'cost-first':
      return 'price';
    case 'quality-first':
      return 'quality';
    case 'balanced':
      return inputs.acrossModels ? 'arena' : 'race';
  }
}

/** Negative where `a` comes first: band, objective, cost, seeded draw, id. A total order over distinct ids. */
export function compareRanked(a: Ranked, b: Ranked): number {
  if (a.band !== b.band) return a.band - b.band;
  if (a.objective !== b.objective) return a.objective < b.objective ? -1 : 1;
  if (a.costPicoUsd !== b.costPicoUsd) return a.costPicoUsd < b.costPicoUsd ? -1 : 1;
  if (a.tie !== b.tie) return a.tie - b.tie;
  return a.endpoint.id < b.endpoint.id ? -1 : 1;
}

function failedRecently(health: EndpointHealth, atMs: number): boolean {
  if (health.lastFailureAtMs === undefined) return false;
  if (atMs - health.lastFailureAtMs >= RECENT_FAILURE_MS) return false;
  return health.failures >= OUTAGE_FAILURE_SHARE * (health.failures + health.successes);
}

/** The bar: `QUALITY_BAR` of the best known quality among those that can serve; undefined where no quality is known at all. */
function qualityBar(inputs: PlanInputs, qualified: readonly Endpoint[]): number | undefined {
  let best: number | undefined;
  for (const endpoint of qualified) {
    const score = inputs.models.get(endpoint.modelId)?.quality?.score;
    if (score !== undefined && (best === undefined || score > best)) best = score;
  }
  return best === undefined ? undefined : best * QUALITY_BAR;
}

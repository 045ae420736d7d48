// RouterArena's form and bounds of cost (USD per 1,000 requests): arXiv 2510.00202, section 3. Its weight of cost is 0.1,
// which on our quality table (SWE-Bench Pro's scale, where the best model is far ahead) always chose the best and
// dearest one; balanced means that both count alike, so the weight is 1.
const ARENA_COST_MIN_USD = 0.0044;
const ARENA_COST_MAX_USD = 200;
const ARENA_BETA = 1;
const ARENA_LOG_MAX = Math.log2(ARENA_COST_MAX_USD);
const ARENA_LOG_SPAN = ARENA_LOG_MAX - Math.log2(ARENA_COST_MIN_USD);
/** A cost of x pico-USD per request is x / 1e9 USD per 1,000 requests. */
const PICO_USD_TO_USD_PER_1K = 1e-9;

/**
 * RouterArena's score, 0..1: weighted harmonic mean of quality and of log cost; higher is better. Fixed bounds make an
 * endpoint's score independent of what else is on offer.
 */
export function arenaScore(quality: number, costPicoUsd: number): number {
  const usdPer1k = costPicoUsd * PICO_USD_TO_USD_PER_1K;
  const bounded = Math.min(Math.max(usdPer1k, ARENA_COST_MIN_USD), ARENA_COST_MAX_USD);
  const cheapness = (ARENA_LOG_MAX - Math.log2(bounded)) / ARENA_LOG_SPAN;
  const denominator = ARENA_BETA * quality + cheapness;
  return denominator === 0 ? 0 : ((1 + ARENA_BETA) * quality * cheapness) / denominator;
}

/**
 * OpenRouter's default: draws without replacement with weight 1/price². Each endpoint runs an exponential race of rate
 * 1/price²; the order of finish is that draw (Efraimidis and Spirakis, 2006). `uniform` is in (0, 1).
 */
export function priceDraw(costPicoUsd: number, uniform: number): number {
  const price = Math.max(costPicoUsd, 1);
  return -Math.log(uniform) * price * price;
}

const SCORE_FRACTION_MAX = 0.999_999_999;
const SCORE_SCALE = 1e9;

/** The objective that shows as one half: a thousandth of a dollar, one second, ten tokens per second. */
const HALF_POINTS = { price: 1e9, race: 1e18, latency: 1_000, throughput: 0.1 } as const;

/** `quality` and `arena` are shares (one minus a score); the others have no upper end. */
export type ObjectiveKind = keyof typeof HALF_POINTS | 'quality' | 'arena';

/**
 * Band plus fraction, to nine decimals. Shares are shown as they are; the others as x / (x + half point), which keeps
 * their order.
 */
export function shownScore(band: number, objective: number, kind: ObjectiveKind): number {
  let fraction = objective;
  if (kind !== 'quality' && kind !== 'arena')
    fraction = objective === Infinity ? 1 : objective / (objective + HALF_POINTS[kind]);
  return band + Math.round(Math.min(fraction, SCORE_FRACTION_MAX) * SCORE_SCALE) / SCORE_SCALE;
}

import type { PriceOfRuleData } from '#libs/audit-events';
import type { Endpoint } from '#libs/catalog';
import { plan, type Candidate, type Plan, type PlanInputs } from '#libs/routing';
import type { Verdict } from '../decide/verdict.js';

/** Endpoints over which a second plan costs less than 10 µs (19 were measured at 25): always worked out. */
const ALWAYS_MAX = 6;
/** Of dearer ones, one request in so many is worked out: a few µs each on average, and so where it is a millisecond. */
const SAMPLE_OF_NAMED = 8;
const NAMED_MAX = 32;
const SAMPLE_OF_MANY = 256;

/** First choice over permitted endpoints less first choice over all that this process could call. */
export class PriceOfRule {
  readonly #all = new WeakMap<Verdict, readonly Endpoint[]>();
  #asked = 0;

  /** `callable`: whether this process could call an endpoint at all. */
  constructor(private readonly callable: (endpoint: Endpoint) => boolean) {}

  /** What compliance cost a request; undefined where it was not worked out. Same seed, same health, same moment. */
  of(verdict: Verdict, inputs: PlanInputs, planned: Plan): PriceOfRuleData | undefined {
    const [chosen] = planned.candidates;
    if (chosen === undefined) return undefined;
    const all = this.#allOf(verdict, inputs.permitted);
    if (all.length === inputs.permitted.length) return difference(chosen, chosen);
    if (all.length > ALWAYS_MAX && !this.#sampled(all.length)) return undefined;
    const free = plan({ ...inputs, permitted: all });
    const [first] = 'refused' in free ? [] : free.candidates;
    return first && difference(chosen, first);
  }

  #sampled(endpoints: number): boolean {
    this.#asked += 1;
    return this.#asked % (endpoints > NAMED_MAX ? SAMPLE_OF_MANY : SAMPLE_OF_NAMED) === 1;
  }

  #allOf(verdict: Verdict, permitted: readonly Endpoint[]): readonly Endpoint[] {
    let all = this.#all.get(verdict);
    if (all === undefined) {
      const excluded = verdict.decision.excluded.flatMap((g) => g.endpoints);
      all = [...permitted, ...excluded.filter(this.callable)];
      this.#all.set(verdict, all);
    }
    return all;
  }
}

function difference(chosen: Candidate, free: Candidate): PriceOfRuleData {
  const [cost, freeCost] = [chosen.expectedCostPicoUsd, free.expectedCostPicoUsd];
  const [quality, freeQuality] = [chosen.quality, free.quality];
  return {
    ...(cost !== undefined &&
      freeCost !== undefined && { costPicoUsd: (cost - freeCost).toString() }),
    ...(quality !== undefined && freeQuality !== undefined && { quality: quality - freeQuality }),
  };
}

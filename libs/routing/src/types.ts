import type { Endpoint, Model } from '#libs/catalog';

export const STRATEGIES = ['cost-first', 'quality-first', 'balanced'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What the request needs of an endpoint, read from its body; recorded, so that a plan can be recomputed. */
export interface Requirements {
  readonly inputTokensEstimate: number;
  /** The caller's `max_tokens`, when given. */
  readonly maxOutputTokens?: number;
  readonly tools: boolean;
  readonly structuredOutput: boolean;
  /** Sorted; always holds `text`. */
  readonly inputModalities: readonly string[];
  readonly requireParameters: boolean;
}

/** Recent outcomes of one endpoint as of a snapshot. Absent from the snapshot = nothing known. */
export interface EndpointHealth {
  readonly endpointId: string;
  readonly successes: number;
  readonly failures: number;
  /** Unix ms of the last failure, when one is remembered. */
  readonly lastFailureAtMs?: number;
  /** `open` = do not send (but a last resort); `half-open` = one probe may go. */
  readonly breaker: 'closed' | 'half-open' | 'open';
  /** Median time to first token, ms. */
  readonly firstTokenMsP50?: number;
}

export interface HealthSnapshot {
  readonly version: string;
  readonly takenAtMs: number;
  readonly endpoints: ReadonlyMap<string, EndpointHealth>;
}

export interface Preferences {
  /** `provider.order`: tried in this order first. Provider ids. */
  readonly order?: readonly string[];
  readonly allowFallbacks: boolean;
  readonly sort?: 'price' | 'throughput' | 'latency';
  /** Hard ceilings, decimal pico-USD per token as strings (so that the record is JSON). */
  readonly maxPrice?: {
    readonly promptPicoUsdPerToken?: string;
    readonly completionPicoUsdPerToken?: string;
  };
}

/** Everything a plan depends on. Same inputs, same plan: that is what makes it replayable. */
export interface PlanInputs {
  readonly strategy: Strategy;
  /** 16 hex digits, drawn per request and recorded. */
  readonly seed: string;
  /** True where the model was not named (`custos/auto`): rank across models. */
  readonly acrossModels: boolean;
  readonly permitted: readonly Endpoint[];
  readonly models: ReadonlyMap<string, Model>;
  readonly requirements: Requirements;
  readonly preferences: Preferences;
  readonly health: HealthSnapshot;
  /** Unix ms the plan was made; recorded. */
  readonly atMs: number;
  /** True where a budget applies: an endpoint without a price is excluded. */
  readonly budgeted: boolean;
}

export interface Candidate {
  readonly endpoint: Endpoint;
  /** Lower comes first; its parts are what an auditor reads. */
  readonly score: number;
  readonly expectedCostPicoUsd?: bigint;
  readonly quality?: number;
}

export type PlanExclusionReason =
  | 'context_length'
  | 'max_output'
  | 'require_parameters'
  | 'modality'
  | 'max_price'
  | 'unpriced_under_budget'
  | 'not_in_order';

export interface Plan {
  readonly strategy: Strategy;
  readonly seed: string;
  /** In the order they will be tried; at most `CANDIDATES_MAX`. */
  readonly candidates: readonly Candidate[];
  readonly excluded: readonly {
    readonly endpointId: string;
    readonly reason: PlanExclusionReason;
  }[];
  /** Endpoints that qualified beyond the cut. */
  readonly cut: number;
}

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
  /** Median output speed of whole answers, tokens per second. */
  readonly tokensPerSecondP50?: number;
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
  /** Soft: endpoints whose median is known to be slower go later. */
  readonly preferredMaxLatencyMs?: number;
  /** Soft: endpoints whose median is known to be lower go later. */
  readonly preferredMinTokensPerSecond?: number;
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
  /** Endpoints that an operator switched off (route table); they leave with the reason `disabled`. */
  readonly disabled?: ReadonlySet<string>;
}

export interface Candidate {
  readonly endpoint: Endpoint;
  /**
   * Lower comes first. Integer part = the band (health, order, fit; see rank.ts), fraction = the strategy's objective;
   * rounded to nine decimals, so two candidates may show the same number.
   */
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
  | 'not_in_order'
  | 'disabled';

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

/** An expected refusal: nothing may be sent. `plan` has no candidates and names every exclusion. */
export interface PlanRefusal {
  readonly refused: 'nothing_permitted' | 'nothing_fits';
  /** Distinct reasons, the most frequent first. */
  readonly reasons: readonly PlanExclusionReason[];
  readonly plan: Plan;
}

/** The parts of a plan that go into the record, in the shape of the audit event's plan. */
export interface PlanRecord {
  readonly strategy: string;
  readonly seed: string;
  readonly candidates: readonly {
    readonly endpoint: string;
    readonly score: number;
    readonly expectedCostPicoUsd?: string;
    readonly quality?: number;
  }[];
  readonly excluded: readonly { readonly endpoint: string; readonly reason: string }[];
  readonly cut: number;
  readonly excludedCut: number;
}

export const OUTCOME_RESULTS = [
  'success',
  'timeout',
  'rate_limited',
  'upstream_error',
  'reset',
  'malformed',
  'unreachable',
  'rejected',
  'cancelled',
] as const;
export type OutcomeResult = (typeof OUTCOME_RESULTS)[number];

/** How one attempt ended. `rejected` (the request's own fault) and `cancelled` (the client left) say nothing of health. */
export interface Outcome {
  readonly endpointId: string;
  readonly atMs: number;
  readonly result: OutcomeResult;
  readonly firstTokenMs?: number;
  readonly tokensPerSecond?: number;
}

/** What the routing service publishes. */
export interface RouteTable {
  /** `sha256:…` over catalog version, switches and health version. */
  readonly version: string;
  readonly catalogVersion: string;
  /** Sorted ids. */
  readonly disabledEndpoints: readonly string[];
  readonly health: HealthSnapshot;
}

// What the data plane says of one generation, from its admission to its end.
/** Who pays, and how: in advance, or on an invoice. */
export const PAYERS = ['prepaid', 'receivable'] as const;
export type Payer = (typeof PAYERS)[number];

export interface AttemptRef {
  /** Counted from 1. */
  readonly number: number;
  /** `<generationId>.<number>`: what went upstream as x-client-request-id. */
  readonly requestId: string;
  readonly endpoint: string;
  readonly provider: string;
  readonly region: string;
  readonly simulated: boolean;
}

export interface FactsData {
  readonly dataClass: string;
  readonly dataTags: readonly string[];
  readonly subjectRegions: readonly string[];
  readonly purpose: string;
  readonly want: Readonly<Record<string, boolean | readonly string[]>>;
}

export interface PrincipalData {
  readonly organisationId: string;
  readonly workspaceId: string;
  readonly keyId: string;
}

export interface PlanData {
  readonly at: string;
  readonly strategy: string;
  readonly seed: string;
  readonly acrossModels: boolean;
  readonly requirements: Readonly<Record<string, number | boolean | readonly string[]>>;
  readonly preferences: Readonly<Record<string, unknown>>;
  readonly candidates: readonly {
    readonly endpoint: string;
    readonly score: number;
    readonly expectedCostPicoUsd?: string;
    readonly quality?: number;
  }[];
  readonly excluded: readonly { readonly endpoint: string; readonly reason: string }[];
  /** Qualified endpoints beyond the listed candidates. */
  readonly cut: number;
  /** Exclusions beyond the listed ones. */
  readonly excludedCut: number;
  /** True where a budget applied, so that an endpoint without a price was none. */
  readonly budgeted?: boolean;
  /** Providers of permitted endpoints that could be called from here; absent = all of them. Sorted. */
  readonly providers?: readonly string[];
  /** What compliance cost this request, in expectation; absent = not worked out. */
  readonly priceOfRule?: PriceOfRuleData;
}

/** First choice over permitted endpoints less first choice over all that were there, same seed and health. */
export interface PriceOfRuleData {
  /** Signed decimal string; absent where one of the two has no price. */
  readonly costPicoUsd?: string;
  /** Difference of sourced scores, -1..1; absent where one of the two has none. */
  readonly quality?: number;
}

export interface DecisionRefData {
  readonly at: string;
  /** Digest of the `custos.decision.recorded.v1` data that holds the full verdict. */
  readonly digest: string;
  readonly decision: 'permit' | 'forbid';
  /** Policies that permitted, or on refusal those that objected. */
  readonly reasons: readonly PolicyReasonData[];
  readonly permitted: number;
  readonly excluded: number;
}

export interface PolicyReasonData {
  readonly id: string;
  readonly reason: string;
  readonly law: string;
  readonly layer: string;
}

export interface HoldData {
  readonly at: string;
  readonly amountPicoUsd: string;
  /** One per limited scope; empty where nothing is limited. */
  readonly leases: readonly {
    readonly leaseId: string;
    readonly scope: LimitScope;
    readonly id: string;
    /** Calendar period of the lease (`2026-11-21`, `2026-W47`, `2026-11`); absent = the scope's lifetime. */
    readonly period?: string;
  }[];
}
export type LimitScope = 'key' | 'workspace' | 'organisation';

/** `custos.generation.opened.v1`: authorises attempt 1. Acknowledged before a byte of the prompt leaves. */
export interface GenerationOpened extends PrincipalData {
  readonly generationId: string;
  readonly receivedAt: string;
  readonly wire: 'openai-chat' | 'anthropic-messages';
  readonly requestedModel: string;
  readonly model: string;
  readonly stream: boolean;
  readonly requestBytes: number;
  /** `hmac-sha256:…` under the deployment's digest key: equal bodies are linkable only by who holds it. */
  readonly requestDigest: string;
  readonly facts: FactsData;
  readonly versions: {
    readonly policy: string;
    readonly catalog: string;
    /** Of the organisation's own facts, laid over the catalog's: `none`, or their digest. */
    readonly facts?: string;
    readonly priceBook: string;
    readonly principals: string;
    readonly health: string;
  };
  readonly decision: DecisionRefData;
  readonly plan: PlanData;
  readonly hold: HoldData;
  readonly attempt: AttemptRef;
  /** Absent = `receivable`. */
  readonly payer?: Payer;
}

/** `custos.generation.refused.v1`: authenticated, but nothing was or will be sent. */
export interface GenerationRefused extends PrincipalData {
  readonly generationId: string;
  readonly receivedAt: string;
  readonly requestedModel: string;
  readonly model: string;
  readonly at: string;
  readonly httpStatus: number;
  /** Stable code of docs/errors.md. */
  readonly code: string;
  readonly facts: FactsData;
  readonly versions: {
    readonly policy: string;
    readonly catalog: string;
    readonly facts?: string;
    readonly principals: string;
  };
  readonly decision?: DecisionRefData;
  readonly plan?: PlanData;
}

/** `custos.attempt.dispatched.v1`: authorises attempt n > 1 (fail-over), acknowledged before it is sent. */
export interface AttemptDispatched {
  readonly generationId: string;
  readonly at: string;
  readonly attempt: AttemptRef;
  readonly previous: {
    readonly number: number;
    readonly outcome: string;
    readonly upstreamStatus?: number;
  };
}

/** `custos.generation.progress.v1`: the last known count of a long stream. */
export interface GenerationProgress {
  readonly generationId: string;
  readonly at: string;
  readonly attempt: number;
  readonly outputTokens: number;
}

export type UsageBasis = 'reported' | 'counted' | 'progress';

/**
 * Token counts. Absent ≠ 0. Everything but the two totals is a part of one of them and never added to it: cache reads
 * and writes, input images and audio are disjoint parts of the input; reasoning, output images and audio of the output.
 */
export interface UsageData {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens?: number;
  readonly cacheWriteTokens?: number;
  /** The part of `cacheWriteTokens` that was written to live an hour; the rest lives five minutes. */
  readonly cacheWrite1hTokens?: number;
  /** Not from cache. */
  readonly inputImageTokens?: number;
  readonly inputAudioTokens?: number;
  readonly reasoningTokens?: number;
  readonly outputImageTokens?: number;
  readonly outputAudioTokens?: number;
  /** Calls that the provider made itself and charges apart, by tool (`web_search`). */
  readonly toolCalls?: Readonly<Record<string, number>>;
  readonly basis: UsageBasis;
  /** The provider's own cost figure in pico-USD, where it names one. */
  readonly reportedCostPicoUsd?: string;
}

export const GENERATION_OUTCOMES = [
  'completed',
  'failed',
  'cancelled',
  'timed_out',
  'recovered',
] as const;
export type GenerationOutcome = (typeof GENERATION_OUTCOMES)[number];

export interface AttemptOutcome extends AttemptRef {
  /** `completed`, `cancelled`, `timeout`, `http_error`, `reset`, `malformed`, `stream_error`, `not_dispatched`, `unknown`. */
  readonly outcome: string;
  readonly recordedAt?: string;
  readonly dispatchedAt?: string;
  readonly firstTokenAt?: string;
  readonly usageAt?: string;
  readonly endedAt?: string;
  readonly upstreamStatus?: number;
  /** The provider's own id of the answer. */
  readonly upstreamId?: string;
  readonly usage?: UsageData;
}

/** `custos.generation.closed.v1`: exactly one per opened one; a second is a correction. */
export interface GenerationClosed {
  readonly generationId: string;
  readonly at: string;
  readonly status: GenerationOutcome;
  /** Stable code of docs/errors.md where the status is not `completed`. */
  readonly code?: string;
  readonly finishReason?: string;
  readonly attempts: readonly AttemptOutcome[];
  /** When the last byte was handed to the client's socket. */
  readonly lastByteAt?: string;
}

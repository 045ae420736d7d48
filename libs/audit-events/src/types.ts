/**
 * The event contract: what is said in the log, as CloudEvents 1.0 in structured JSON mode. One event is one
 * byte string; that string is what is hashed, sealed and proved. Amounts are decimal strings of integer
 * pico-USD; times are RFC 3339 UTC with milliseconds. No field may carry content of a prompt or completion.
 */
export const TOPICS = {
  audit: 'custos.audit.v1',
  ledger: 'custos.ledger.v1',
  control: 'custos.control.v1',
} as const;
export type Topic = (typeof TOPICS)[keyof typeof TOPICS];

/** Hard ceiling of one event's bytes; the log refuses a larger one. (C2SP tlog-tiles allows 65,535.) */
export const EVENT_BYTES_MAX = 16 * 1024;

/** A record as the log gives it back: the exact bytes, and their place. */
export interface LogRecord {
  readonly topic: Topic;
  readonly partition: number;
  readonly offset: bigint;
  /** Time the log itself gave the record, Unix ms (Kafka LogAppendTime, PostgreSQL commit's now()). */
  readonly recordedAtMs: number;
  readonly value: Buffer;
}

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

/**
 * `custos.decision.recorded.v1`: a verdict, content-addressed, said once per writer before its first use.
 * Up to 100 endpoints are listed by id; above that as a base64 bitset over the catalog version's ordinals.
 */
export interface DecisionRecorded {
  readonly digest: string;
  readonly policyVersion: string;
  readonly catalogVersion: string;
  /** Absent where the organisation has stated nothing of its own. */
  readonly factsVersion?: string;
  readonly profile: Readonly<Record<string, string>>;
  readonly facts: FactsData;
  readonly scope: string;
  readonly permittedBy: readonly string[];
  readonly permitted: EndpointSetData;
  readonly excluded: readonly {
    readonly code: string;
    readonly policies: readonly string[];
    readonly endpoints: EndpointSetData;
  }[];
  /** Ids of the break-glass exceptions in force for who asked; absent where there were none. */
  readonly exceptions?: readonly string[];
}
export type EndpointSetData =
  { readonly ids: readonly string[] } | { readonly count: number; readonly ordinalsBase64: string };

/** `custos.health.recorded.v1`: the slice of a health snapshot that plans of one scope read. */
export interface HealthRecorded {
  readonly digest: string;
  readonly version: string;
  readonly takenAt: string;
  readonly scope: string;
  readonly endpoints: readonly Readonly<Record<string, string | number>>[];
}

/** `custos.writer.started|heartbeat|stopped.v1`. A chain opens with `started` (wseq 0) and closes with `stopped`. */
export interface WriterSaid {
  readonly app: string;
  readonly at: string;
  /** Generations opened and not yet closed by this writer. */
  readonly inFlight?: number;
  /** Leases this writer gives back: it will not place holds on them any more. */
  readonly releasedLeases?: readonly string[];
}

/** `custos.writer.retired.v1`: said by the next boot or the sweeper; later records of it have no effect. */
export interface WriterRetired {
  readonly retiredWriter: string;
  readonly lastWseq?: number;
  readonly reason: string;
  readonly at: string;
}

/** Administrative changes: `custos.control.*`. The data names who did what; secrets never appear. */
export interface ControlChange {
  readonly at: string;
  readonly actor: string;
  readonly change: string;
  readonly subject: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** Who pays, and how: in advance, or on an invoice. */
export const PAYERS = ['prepaid', 'receivable'] as const;
export type Payer = (typeof PAYERS)[number];

/**
 * `custos.ledger.correction.v1`, said by control: one person's correction of a generation, approved by another. What
 * stands in the books is taken back and posted anew. Exactly one of `usage` and `amount` is there.
 */
export interface LedgerCorrection {
  readonly correctionId: string;
  readonly generationId: string;
  /** Counted from 1 within the generation: the highest is in force, whichever is read first, and replaces the others. */
  readonly number: number;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  /** What was really used, by attempt; rated by the pinned price book. Attempts left out stay as they were. */
  readonly usage?: readonly { readonly attempt: number; readonly usage: UsageData }[];
  /** What is to be charged, whatever was used. */
  readonly amount?: {
    readonly customerPicoUsd: string;
    /** What a provider charges us; providers left out stay as rated. */
    readonly providers?: readonly { readonly provider: string; readonly amountPicoUsd: string }[];
  };
}

/** `custos.ledger.credit.v1`, said by control: an organisation has bought credit. It paid amount and fee. */
export interface LedgerCredit {
  readonly creditId: string;
  readonly organisationId: string;
  readonly at: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  /** The terms that the fee follows from. */
  readonly fee: { readonly basisPoints: number; readonly minimumPicoUsd: string };
  readonly author: string;
  /** Of the payment, in whatever system took it. */
  readonly reference?: string;
}

/**
 * `custos.ledger.cost_differed.v1`, said by the ledger: a provider's own cost figure is further from ours than the
 * tolerance. It follows from the record that settled the generation, and is never rated.
 */
export interface CostDiffered {
  readonly generationId: string;
  /** Event that settled the generation: with the attempt it identifies this one. */
  readonly causeEventId: string;
  readonly attempt: number;
  readonly endpoint: string;
  readonly provider: string;
  readonly priceBook: string;
  /** Absent where the price book has no price for the endpoint. */
  readonly computedPicoUsd?: string;
  readonly reportedPicoUsd: string;
}

/**
 * `custos.ledger.period_closed.v1`, said by the ledger: a calendar month (UTC) whose grace time is over, with the first
 * record of each partition that is late for it.
 */
export interface PeriodClosed {
  /** `2026-11` */
  readonly period: string;
  readonly at: string;
  /** The log whose offsets `through` names. */
  readonly logId: string;
  readonly through: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly next: string;
  }[];
}

/**
 * `custos.ledger.invoice_issued.v1`, said by the ledger: the one invoice of an organisation for a closed month. It
 * follows from the journals of that month among the leaves below `size`; the document is known by its digest.
 */
export interface InvoiceIssued {
  /** Unique; counted per month. */
  readonly number: string;
  readonly organisationId: string;
  /** `2026-11` */
  readonly period: string;
  readonly at: string;
  /** Of the statement's canonical JSON. */
  readonly digest: string;
  /** Lines that were rounded, each to whole cents, half to even. */
  readonly lines: number;
  /** What the customer owes by the journals; signed. */
  readonly exactPicoUsd: string;
  /** The sum of the rounded lines; signed. The difference is posted to `rounding`. */
  readonly payablePicoUsd: string;
  /** The tree that the statement rests on. */
  readonly size: string;
  /** `sha256:` and the root, hex. */
  readonly root: string;
}

/** One side of a comparison with a provider: what it amounts to. Absent cost = nothing was named. */
export interface ReconciledSide {
  readonly attempts: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costPicoUsd: string;
}

/**
 * `custos.ledger.reconciled.v1`, said by the ledger: a provider's usage export was laid beside the books. The file stays
 * with who has it; it and the report are known by their digests.
 */
export interface LedgerReconciled {
  readonly provider: string;
  readonly at: string;
  readonly author: string;
  /** Attempts of generations received in this time were compared. */
  readonly from: string;
  readonly to: string;
  readonly fileDigest: string;
  readonly reportDigest: string;
  readonly ours: ReconciledSide;
  readonly theirs: ReconciledSide;
  readonly matched: number;
  /** By kind; those that a written rule explains are counted again in `explained`. */
  readonly differences: Readonly<Record<string, number>>;
  readonly explained: number;
}

export interface EventData {
  'custos.generation.opened.v1': GenerationOpened;
  'custos.generation.refused.v1': GenerationRefused;
  'custos.attempt.dispatched.v1': AttemptDispatched;
  'custos.generation.progress.v1': GenerationProgress;
  'custos.generation.closed.v1': GenerationClosed;
  'custos.decision.recorded.v1': DecisionRecorded;
  'custos.health.recorded.v1': HealthRecorded;
  'custos.writer.started.v1': WriterSaid;
  'custos.writer.heartbeat.v1': WriterSaid;
  'custos.writer.stopped.v1': WriterSaid;
  'custos.writer.retired.v1': WriterRetired;
  'custos.control.changed.v1': ControlChange;
  'custos.pricebook.published.v1': ControlChange;
  'custos.policy.activated.v1': ControlChange;
  'custos.ledger.correction.v1': LedgerCorrection;
  'custos.ledger.credit.v1': LedgerCredit;
  'custos.ledger.cost_differed.v1': CostDiffered;
  'custos.ledger.period_closed.v1': PeriodClosed;
  'custos.ledger.invoice_issued.v1': InvoiceIssued;
  'custos.ledger.reconciled.v1': LedgerReconciled;
}
export type EventType = keyof EventData;

/** An event as read back. `data` is validated for the types this version knows. */
export type CustosEvent = {
  [T in EventType]: {
    readonly type: T;
    readonly id: string;
    readonly subject: string;
    readonly time: string;
    readonly writer: string;
    /** Dense from 0 within one writer. */
    readonly wseq: number;
    /** Hex SHA-256 of the writer's previous event's bytes; 64 zeros for wseq 0. */
    readonly wprev: string;
    readonly data: EventData[T];
  };
}[EventType];

import type { Dialect } from '#libs/catalog';

/** Where and how one attempt goes. Resolved by the caller: no look-up of credentials happens here. */
export interface AttemptTarget {
  readonly endpointId: string;
  readonly providerId: string;
  readonly dialect: Dialect;
  /** Up to and without `/chat/completions` or `/messages`. */
  readonly baseUrl: string;
  readonly upstreamModel: string;
  /** Sent as the dialect's credential header; absent for the simulator. Never logged. */
  readonly credential?: string;
  readonly simulated: boolean;
  /** Ceiling the dialect must send when the caller gave none (Anthropic requires max_tokens). */
  readonly maxOutputTokens: number;
  /** Sent where the caller named no ceiling and the dialect needs one, or `capOutput` is set: no more than was held. */
  readonly unaskedOutputTokens: number;
  /** A limit applies: what was held must hold, so a ceiling goes along in the member that this provider obeys. */
  readonly capOutput?: boolean;
}

/**
 * A parsed OpenAI-chat request with its exact bytes. `members` are the top-level members' byte ranges in `bytes`
 * (start of the key's quote to the end of the value), so that one can be replaced without re-serialising the rest.
 */
export interface ChatRequest {
  readonly bytes: Buffer;
  readonly members: readonly BodyMember[];
  readonly body: ChatBody;
}

export interface BodyMember {
  readonly key: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** Only what the gateway reads; everything else passes through as bytes. */
export interface ChatBody {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly tools?: readonly unknown[];
  readonly [other: string]: unknown;
}

export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly Readonly<Record<string, unknown>>[] | null;
  readonly [other: string]: unknown;
}

/** Token counts as a provider reported them. Absent ≠ 0. All but the two totals are parts of one of them. */
export interface ReportedUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens?: number;
  readonly cacheWriteTokens?: number;
  /** Part of `cacheWriteTokens`. */
  readonly cacheWrite1hTokens?: number;
  /** Not from cache. */
  readonly inputImageTokens?: number;
  readonly inputAudioTokens?: number;
  readonly reasoningTokens?: number;
  readonly outputImageTokens?: number;
  readonly outputAudioTokens?: number;
  /** Calls of tools that the provider runs itself, by tool. */
  readonly toolCalls?: Readonly<Record<string, number>>;
  /** Provider's own figure, exact decimal USD text. */
  readonly costUsd?: string;
}

export type AttemptFailureKind =
  | 'timeout'
  | 'rate_limited'
  | 'upstream_error'
  | 'reset'
  | 'malformed'
  | 'rejected'
  | 'unreachable';

/**
 * Why an attempt failed. `retryable`: another endpoint may be tried (before the first content byte only).
 * `rejected` is the provider's 4xx about the request itself. `message` is our wording: never upstream bytes.
 */
export interface AttemptFailure {
  readonly kind: AttemptFailureKind;
  readonly retryable: boolean;
  readonly upstreamStatus?: number;
  readonly retryAfterMs?: number;
  readonly message: string;
}

/** Called by the dispatcher, in this order: onCommit? then (onAnswer | onEvents*) then exactly one of onEnd/onFailure. */
export interface AttemptObserver {
  /** Bytes of the request have been handed to a connection. */
  onDispatched(atMs: number): void;
  /**
   * Unstreamed: the whole answer in OpenAI chat.completion shape as JSON bytes, valid and with choices, before onEnd.
   */
  onAnswer(answer: ChatAnswer): void;
  /**
   * Streamed: whole SSE events in OpenAI chunk shape (each ends with a blank line; never `[DONE]`, never a usage-only
   * chunk: usage comes with onEnd). The first call carries the first content: nothing was delivered before, so a failure
   * before it may go on to another endpoint. `events` counts content-bearing deltas in `text`.
   * Return false to pause; `resume()` of the handle goes on.
   */
  onEvents(text: StreamText): boolean;
  onEnd(end: AttemptEnd): void;
  onFailure(failure: AttemptFailure, partial: AttemptEnd): void;
}

export interface ChatAnswer {
  readonly body: Record<string, unknown>;
}

/**
 * Complete SSE events as one latin1-decoded string (each UTF-8 byte one char: write it out as 'latin1'), with upstream's
 * own `id` and `model` still in place; `idLiteral` and `modelLiteral` are the exact JSON members to replace
 * (e.g. `"id":"chatcmpl-1"`), constant for the stream.
 */
export interface StreamText {
  readonly latin1: string;
  readonly contentDeltas: number;
  /** UTF-8 bytes of content in `latin1`. */
  readonly contentBytes: number;
  readonly idLiteral: string | undefined;
  readonly modelLiteral: string | undefined;
}

export interface AttemptEnd {
  /** Of an answer that came to its end. */
  readonly usage?: ReportedUsage;
  /** What the provider had said when the answer broke off: its input counts stand, its output count was not the last. */
  readonly usageSoFar?: ReportedUsage;
  readonly finishReason?: string;
  readonly upstreamId?: string;
  readonly upstreamStatus?: number;
  /** The caller's parameters that the provider's dialect has no counterpart for and that were left out. */
  readonly droppedParameters?: readonly string[];
  /** Content-bearing deltas seen, for counting when the provider reports no usage. */
  readonly contentDeltas: number;
  /** UTF-8 bytes of content seen. */
  readonly contentBytes: number;
}

export interface AttemptHandle {
  /**
   * Closes the upstream connection at once: how a client's cancel reaches the provider. No callback follows. Returns what
   * had come by then, where anything had.
   */
  abort(): AttemptEnd | undefined;
  resume(): void;
}

export interface AttemptTimeouts {
  readonly connectMs: number;
  /** Until the first content (or the whole unstreamed answer). */
  readonly firstContentMs: number;
  /** Between two chunks. */
  readonly idleMs: number;
  readonly totalMs: number;
}

export abstract class Dispatcher {
  /** Never throws; every outcome goes to the observer, asynchronously. */
  abstract dispatch(
    target: AttemptTarget,
    request: ChatRequest,
    requestId: string,
    timeouts: AttemptTimeouts,
    observer: AttemptObserver,
  ): AttemptHandle;
  /** Waits for open attempts up to the deadline, then destroys the pools. */
  abstract close(deadlineMs: number): Promise<void>;
}

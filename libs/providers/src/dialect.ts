import type {
  AttemptEnd,
  AttemptFailure,
  AttemptTarget,
  ChatAnswer,
  ChatRequest,
  StreamText,
} from './types.js';

/**
 * What the dispatcher needs of a provider's wire format: pure functions and one stateful tap per stream.
 * Every dialect has the same four files: request, answer, stream, failure.
 */
export interface ProviderDialect {
  buildRequest(target: AttemptTarget, request: ChatRequest, requestId: string): UpstreamRequest;
  readAnswer(bytes: Buffer): ReadAnswer;
  openStream(): StreamTap;
  /** `body` is given for the statuses of `readsFailureBody` only, and holds at most the first 16 KiB. */
  classifyStatus(failed: FailedResponse): AttemptFailure;
}

export type UpstreamRequest =
  | {
      readonly ok: true;
      /** Appended to the target's base, starts with a slash. */
      readonly path: string;
      /** Names and values in turn. */
      readonly headers: string[];
      readonly body: Buffer;
      /** The caller's parameters that have no counterpart and were left out. */
      readonly dropped?: readonly string[];
    }
  | { readonly ok: false; readonly failure: AttemptFailure };

export type ReadAnswer =
  | { readonly ok: true; readonly answer: ChatAnswer; readonly end: AttemptEnd }
  | { readonly ok: false; readonly failure: AttemptFailure };

export interface FailedResponse {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly body?: Buffer | undefined;
  /** Unix ms, for a Retry-After that is a date. */
  readonly nowMs: number;
}

/** Frames and reads one stream. Knows no socket and no clock, so that every chunking can be tested. */
export interface StreamTap {
  /** Set once the stream's own terminal event, or a fault in it, was seen; what comes after is ignored. */
  readonly outcome: StreamOutcome | undefined;
  /** Something was returned for the caller: no other endpoint may take over any more. */
  readonly committed: boolean;
  push(chunk: Buffer): StreamText | undefined;
  /** The body ended; `whole` when HTTP says it did so properly. Sets `outcome`. */
  finish(whole: boolean): StreamText | undefined;
  end(): AttemptEnd;
}

export type StreamOutcome =
  { readonly ok: true } | { readonly ok: false; readonly failure: AttemptFailure };

/** An SSE event larger than this is no event of a model's answer; it bounds what a stream may make us hold. */
export const EVENT_BYTES_MAX = 1024 * 1024;

/** A count above this (a hundred times the largest context) is no count of tokens: it reads as not reported. */
export const TOKENS_MAX = 100_000_000;

import type { AttemptFailure } from './types.js';
import type { FailedResponse } from './dialect.js';

/** A provider that asks for a longer wait is as good as down for us. */
const RETRY_AFTER_MS_MAX = 24 * 60 * 60 * 1000;

/** Statuses that speak of the request itself: another endpoint would refuse it too. */
export const readsFailureBody = (status: number): boolean =>
  status === 400 || status === 404 || status === 413 || status === 422;

/**
 * What an HTTP status means for the attempt, alike in every dialect. Redirects are failures: a prompt goes where
 * the decision said and nowhere else. `code` is one of our closed list, never free text of the provider's.
 */
export function statusFailure(
  { status, retryAfter, nowMs }: FailedResponse,
  code?: string,
): AttemptFailure {
  const upstreamStatus = status;
  const retryAfterMs = retryAfter === undefined ? undefined : parseRetryAfterMs(retryAfter, nowMs);
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) {
    const message = 'the provider is limiting our rate';
    return { kind: 'rate_limited', retryable: true, upstreamStatus, message, ...wait };
  }
  if (status === 408 || status === 504 || status === 524) {
    const message = `the provider timed out (status ${status})`;
    return { kind: 'timeout', retryable: true, upstreamStatus, message, ...wait };
  }
  if (readsFailureBody(status)) {
    const message = `the provider refused the request (status ${status}${code === undefined ? '' : `, ${code}`})`;
    return { kind: 'rejected', retryable: false, upstreamStatus, message };
  }
  const message =
    status === 401 || status === 403
      ? `the provider refused the gateway's credential (status ${status})`
      : status === 529
        ? 'the provider is overloaded (status 529)'
        : `the provider failed (status ${status})`;
  return { kind: 'upstream_error', retryable: true, upstreamStatus, message, ...wait };
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3); undefined when neither. */
export function parseRetryAfterMs(value: string, nowMs: number): number | undefined {
  const text = value.trim();
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  if (!Number.isFinite(ms)) return undefined;
  return Math.min(Math.max(0, Math.round(ms)), RETRY_AFTER_MS_MAX);
}

export const malformed = (message: string, retryable: boolean): AttemptFailure => ({
  kind: 'malformed',
  retryable,
  message,
});

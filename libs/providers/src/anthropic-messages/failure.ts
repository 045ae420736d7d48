import type { FailedResponse } from '../dialect.js';
import { statusFailure } from '../status-failure.js';
import type { AttemptFailure } from '../types.js';

/** Anthropic's error types and the status each documents; the only words of an error that may reach our message. */
const STATUS_OF_TYPE: ReadonlyMap<string, number> = new Map([
  ['invalid_request_error', 400],
  ['authentication_error', 401],
  ['billing_error', 402],
  ['permission_error', 403],
  ['not_found_error', 404],
  ['request_too_large', 413],
  ['rate_limit_error', 429],
  ['api_error', 500],
  ['timeout_error', 504],
  ['overloaded_error', 529],
]);

export function classifyStatus(failed: FailedResponse): AttemptFailure {
  return statusFailure(failed, failed.body && knownType(failed.body));
}

/** An `error` event inside a stream, or in place of the answer: a 200 with the status its type documents. */
export function classifyInBand(error: unknown, retryable: boolean): AttemptFailure {
  const type = typeOf(error);
  const status = type === undefined ? undefined : STATUS_OF_TYPE.get(type);
  if (status === undefined) {
    return { kind: 'upstream_error', retryable, message: 'the provider reported an error' };
  }
  const failure = statusFailure({ status, nowMs: 0 }, type);
  return { ...failure, retryable: failure.retryable && retryable };
}

function knownType(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && 'error' in parsed
      ? typeOf(parsed.error)
      : undefined;
  } catch {
    return undefined;
  }
}

function typeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('type' in error)) return undefined;
  const { type } = error;
  return typeof type === 'string' && STATUS_OF_TYPE.has(type) ? type : undefined;
}

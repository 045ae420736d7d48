import type { FailedResponse } from '../dialect.js';
import { statusFailure } from '../status-failure.js';
import type { AttemptFailure } from '../types.js';

/** The only words of an error body that may reach our message: codes that OpenAI documents, word for word. */
const KNOWN_CODES: ReadonlySet<string> = new Set([
  'content_filter',
  'content_policy_violation',
  'context_length_exceeded',
  'invalid_image',
  'invalid_image_url',
  'invalid_request_error',
  'invalid_type',
  'invalid_value',
  'missing_required_parameter',
  'model_not_found',
  'string_above_max_length',
  'unknown_parameter',
  'unsupported_parameter',
  'unsupported_value',
]);

export function classifyStatus(failed: FailedResponse): AttemptFailure {
  return statusFailure(failed, failed.body && knownCode(failed.body));
}

/** An `error` inside a 200: in a stream's event, or in place of the answer. */
export function classifyInBand(error: unknown, retryable: boolean): AttemptFailure {
  const status = errorStatus(error);
  if (status !== undefined) {
    const failure = statusFailure({ status, nowMs: 0 }, codeOf(error));
    return { ...failure, retryable: failure.retryable && retryable };
  }
  return { kind: 'upstream_error', retryable, message: 'the provider reported an error' };
}

function errorStatus(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, status } = error as { code?: unknown; status?: unknown };
  for (const value of [code, status]) {
    const number = typeof value === 'string' && /^\d{3}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && number >= 400 && number <= 599) {
      return number;
    }
  }
  return undefined;
}

function knownCode(body: Buffer): string | undefined {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    return typeof parsed === 'object' && parsed !== null && 'error' in parsed
      ? codeOf(parsed.error)
      : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, type } = error as { code?: unknown; type?: unknown };
  for (const word of [code, type]) {
    if (typeof word === 'string' && KNOWN_CODES.has(word)) return word;
  }
  return undefined;
}

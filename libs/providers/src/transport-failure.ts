import type { AttemptFailure } from './types.js';

const MALFORMED = /^(HPE_|HTTPParserError$|UND_ERR_HEADERS_OVERFLOW$)/;

/**
 * What broke underneath HTTP. `sent`: the request had been handed to a connection. The error's own message may hold
 * addresses and header values, so only its code is looked at.
 */
export function transportFailure(
  error: unknown,
  sent: boolean,
  retryable: boolean,
): AttemptFailure {
  const code = errorCode(error);
  if (MALFORMED.test(code)) {
    return { kind: 'malformed', retryable, message: 'the provider did not speak HTTP/1.1' };
  }
  if (!sent) {
    return { kind: 'unreachable', retryable, message: 'no connection to the provider' };
  }
  return { kind: 'reset', retryable, message: 'the provider closed the connection' };
}

/** undici's parser error has a name, and a code only for some faults. */
function errorCode(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  if (typeof code === 'string') return code;
  return typeof name === 'string' ? name : '';
}

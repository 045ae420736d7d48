import type { AttemptFailure } from '#libs/providers';
import { refusal, type Refusal } from '../ingress.errors.js';

const RETRY_AFTER_DEFAULT_SECONDS = 5;

/** What the client is told when the last attempt failed. The provider's own text never goes through. */
export function failureRefusal(f: AttemptFailure): Refusal {
  const metadata = f.upstreamStatus === undefined ? {} : { provider_status: f.upstreamStatus };
  const retryAfterSeconds =
    f.retryAfterMs === undefined ? RETRY_AFTER_DEFAULT_SECONDS : Math.ceil(f.retryAfterMs / 1000);
  switch (f.kind) {
    case 'rejected':
      return refusal('upstream_rejected', f.message, { metadata });
    case 'rate_limited':
      return refusal('upstream_rate_limited', f.message, { metadata, retryAfterSeconds });
    case 'timeout':
      return refusal('upstream_timeout', f.message, { metadata });
    case 'upstream_error':
    case 'reset':
    case 'malformed':
    case 'unreachable':
      return refusal('upstream_failed', f.message, { metadata, retryAfterSeconds });
  }
}

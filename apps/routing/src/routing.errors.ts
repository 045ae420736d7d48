import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const ROUTING_ERRORS = {
  unknown_endpoint: { status: 404, meaning: 'The catalog has no such endpoint.' },
  log_unavailable: {
    status: 503,
    meaning: 'The audit log did not acknowledge in time.',
    retryAfterSeconds: 1,
  },
  log_queue_full: {
    status: 503,
    meaning: 'Too many records wait for the audit log.',
    retryAfterSeconds: 1,
  },
  store_unavailable: { status: 503, meaning: 'PostgreSQL does not answer.', retryAfterSeconds: 1 },
} as const satisfies ErrorTable;

export type RoutingAppErrorCode = keyof typeof ROUTING_ERRORS;

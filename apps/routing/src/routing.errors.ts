import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const ROUTING_ERRORS = {
  unknown_endpoint: { status: 404 },
  log_unavailable: { status: 503, retryAfterSeconds: 1 },
  log_queue_full: { status: 503, retryAfterSeconds: 1 },
  store_unavailable: { status: 503, retryAfterSeconds: 1 },
} as const satisfies ErrorTable;

export type RoutingAppErrorCode = keyof typeof ROUTING_ERRORS;

import type { ErrorTable } from '#libs/platform';

/** Closed set of this app's error codes. */
export type ControlErrorCode =
  'not_found' | 'conflict' | 'changes_pending' | 'data_directory_unwritable';

export const CONTROL_ERRORS = {
  not_found: { status: 404 },
  conflict: { status: 409 },
  changes_pending: { status: 503, retryAfterSeconds: 2 },
  log_unavailable: { status: 503, retryAfterSeconds: 2 },
} as const satisfies ErrorTable;

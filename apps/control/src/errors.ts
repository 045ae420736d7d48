import type { ErrorTable } from '#libs/platform';

/** Closed set of this app's error codes. */
export type ControlErrorCode =
  'not_found' | 'unknown_ledger' | 'conflict' | 'changes_pending' | 'data_directory_unwritable';

export const CONTROL_ERRORS = {
  not_found: { status: 404, meaning: 'No such organisation, workspace or key.' },
  unknown_ledger: { status: 404, meaning: 'This deployment has no ledger of that id.' },
  conflict: { status: 409, meaning: 'The id is taken, or the change contradicts what is there.' },
  changes_pending: {
    status: 503,
    meaning: 'Earlier changes wait for the audit log; nothing was changed.',
    retryAfterSeconds: 2,
  },
  log_unavailable: {
    status: 503,
    meaning: 'The audit log did not acknowledge in time.',
    retryAfterSeconds: 2,
  },
} as const satisfies ErrorTable;

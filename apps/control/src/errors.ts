import type { ErrorTable } from '#libs/platform';

/** Closed set of this app's error codes. */
export type ControlErrorCode =
  | 'not_found'
  | 'unknown_ledger'
  | 'content_not_kept'
  | 'conflict'
  | 'vault_not_configured'
  | 'legal_hold'
  | 'content_erased'
  | 'content_damaged'
  | 'vault_unavailable'
  | 'vault_key_changed'
  | 'vault_key_unknown'
  | 'content_not_recorded'
  | 'changes_pending'
  | 'change_unreadable'
  | 'data_directory_unwritable';

export const CONTROL_ERRORS = {
  not_found: { status: 404, meaning: 'No such organisation, workspace or key.' },
  unknown_ledger: { status: 404, meaning: 'This deployment has no ledger of that id.' },
  conflict: { status: 409, meaning: 'The id is taken, or the change contradicts what is there.' },
  content_not_kept: {
    status: 404,
    meaning: 'Nothing is kept in the content vault of this generation, or of this subject.',
  },
  vault_not_configured: {
    status: 409,
    meaning: 'This deployment has no content vault: nothing is ever kept.',
  },
  legal_hold: {
    status: 409,
    meaning: 'A legal hold keeps what was to be erased; `holdId` names it.',
  },
  change_unreadable: {
    status: 422,
    meaning:
      'Nobody could read its record in the log, or the log could not hold it; nothing was decided. `fault` names the place.',
  },
  content_erased: {
    status: 410,
    meaning: 'It was in the content vault, and its key was destroyed by an erasure.',
  },
  content_damaged: {
    status: 500,
    meaning:
      'What the content vault holds is not what was sealed: compare its digest with the log.',
  },
  vault_unavailable: {
    status: 503,
    meaning:
      'The content vault does not answer; nothing was read or destroyed, and no hold was put in force.',
    retryAfterSeconds: 2,
  },
  vault_key_changed: {
    status: 503,
    meaning:
      'The content vault goes by a master key that this process was not given; nothing was read or destroyed.',
    retryAfterSeconds: 60,
  },
  vault_key_unknown: {
    status: 503,
    meaning:
      'It is under a master key that this process was not given; `keyId` names it. Nothing is lost.',
    retryAfterSeconds: 60,
  },
  content_not_recorded: {
    status: 503,
    meaning: 'The record that says it is kept is not in the log yet; nobody reads it before.',
    retryAfterSeconds: 60,
  },
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

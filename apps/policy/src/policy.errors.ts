import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const POLICY_ERRORS = {
  unknown_subject: { status: 404, meaning: 'No such key, workspace or organisation.' },
  unknown_resource: { status: 404, meaning: 'The catalog has no such model or endpoint.' },
  unknown_bundle: { status: 404, meaning: 'There is no bundle of this version.' },
  unknown_exception: { status: 404, meaning: 'There is no such exception.' },
  policy_invalid: {
    status: 422,
    meaning: 'The policies have faults; `metadata.faults` lists all of them.',
  },
  not_liftable: {
    status: 422,
    meaning: 'A policy of the exception is not in force or does not let itself be lifted.',
  },
  same_principal: {
    status: 403,
    meaning: 'Approval is for another person than who wrote, proposed or requested it.',
  },
  wrong_step: { status: 409, meaning: 'The bundle does not stand where this step begins.' },
  not_in_force: {
    status: 409,
    meaning: 'Another bundle is in force than the one to be rolled back from.',
  },
  nothing_to_roll_back: {
    status: 409,
    meaning: 'No earlier bundle is known to go back to.',
  },
  exception_closed: {
    status: 409,
    meaning: 'The exception has expired, was revoked or is approved already.',
  },
  change_unreadable: {
    status: 422,
    meaning:
      'Nobody could read its record in the log, or the log could not hold it; nothing was decided. `fault` names the place.',
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

export type PolicyAppErrorCode = keyof typeof POLICY_ERRORS;

import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const POLICY_ERRORS = {
  unknown_subject: { status: 404, meaning: 'No such key, workspace or organisation.' },
  unknown_resource: { status: 404, meaning: 'The catalog has no such model or endpoint.' },
} as const satisfies ErrorTable;

export type PolicyAppErrorCode = keyof typeof POLICY_ERRORS;

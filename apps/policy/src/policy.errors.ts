import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const POLICY_ERRORS = {
  unknown_subject: { status: 404 },
  unknown_resource: { status: 404 },
} as const satisfies ErrorTable;

export type PolicyAppErrorCode = keyof typeof POLICY_ERRORS;

import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const LEDGER_ERRORS = {
  invalid_filter: { status: 400 },
  bad_cursor: { status: 400 },
  trail_not_found: { status: 404 },
  generation_not_found: { status: 404 },
  unknown_scope: { status: 404 },
} as const satisfies ErrorTable;

export type LedgerAppErrorCode = keyof typeof LEDGER_ERRORS;

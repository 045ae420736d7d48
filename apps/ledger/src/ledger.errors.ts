import type { ErrorTable } from '#libs/platform';

/** Stable codes of this app's routes → status. */
export const LEDGER_ERRORS = {
  invalid_filter: {
    status: 400,
    meaning: 'A filter of the trail list is unknown or has the wrong shape.',
  },
  bad_cursor: { status: 400, meaning: 'The cursor is not one that this list gave out.' },
  trail_not_found: { status: 404, meaning: 'The ledger has no such generation (yet).' },
  generation_not_found: { status: 404, meaning: 'This key has no such generation.' },
  unknown_scope: {
    status: 404,
    meaning: 'No key, workspace or organisation of that id has a limit.',
  },
  lease_refused: {
    status: 409,
    meaning:
      'The lease can never be granted: it was given back before, its writer has ended, or its id has other terms.',
  },
} as const satisfies ErrorTable;

export type LedgerAppErrorCode = keyof typeof LEDGER_ERRORS;

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
  refund_not_found: {
    status: 404,
    meaning: 'No two persons have asked this ledger for a refund of that id (yet).',
  },
  unknown_scope: {
    status: 404,
    meaning: 'No key, workspace or organisation of that id has a limit.',
  },
  lease_refused: {
    status: 409,
    meaning:
      'The lease can never be granted: it was given back before, its writer has ended, or its id has other terms.',
  },
  not_in_log: {
    status: 404,
    meaning: 'The newest published checkpoint does not cover this tile, or the path names none.',
  },
  not_stamped: {
    status: 404,
    meaning: 'There is no checkpoint of this size, or no RFC 3161 time stamp over it.',
  },
  records_removed: {
    status: 410,
    meaning:
      'The records asked for were removed under the ledger’s retention policy; the log says so before they went. Their hashes are still there.',
  },
  retention_changed: {
    status: 409,
    meaning: 'What would be removed is no longer what was looked at; nothing was removed.',
  },
  retention_unavailable: {
    status: 503,
    meaning:
      'There is no retention policy in effect, or this process does not lead or has not caught up; nothing was removed.',
    retryAfterSeconds: 10,
  },
  fork_unknown: {
    status: 404,
    meaning:
      'No checkpoint of this size and root, signed by this log, has turned up that it does not contain.',
  },
  fork_unrecorded: {
    status: 503,
    meaning: 'This process cannot record now that a head is given up; nothing has changed.',
    retryAfterSeconds: 5,
  },
  receipt_pending: {
    status: 503,
    meaning: 'The records are sealed, but no checkpoint that satisfies the policy covers them yet.',
    retryAfterSeconds: 1,
  },
  invalid_range: {
    status: 400,
    meaning: 'A parameter of the export is unknown, or a time is none or lies on the wrong side.',
  },
  export_busy: {
    status: 503,
    meaning:
      'As many exports as this process serves at once are under way, or there is no checkpoint yet.',
    retryAfterSeconds: 10,
  },
  invalid_statement_query: {
    status: 400,
    meaning:
      'A parameter of an invoice, the FOCUS export, a reconciliation or the list of refunds is unknown or has the wrong shape.',
  },
  statement_busy: {
    status: 503,
    meaning:
      'As many statements as this process makes at once are being made, or there is no checkpoint yet.',
    retryAfterSeconds: 5,
  },
  statement_unbalanced: {
    status: 500,
    meaning:
      'A statement that does not add up to its postings, or is not the one that its record cites: it is withheld.',
  },
  usage_export_unreadable: {
    status: 400,
    meaning: 'The usage export of a provider is not in the documented format.',
  },
  usage_export_too_large: {
    status: 413,
    meaning: 'The usage export has more rows than are taken at once.',
  },
  reconciliation_unrecorded: {
    status: 503,
    meaning: 'This process cannot record the result of a reconciliation now; nothing was reported.',
    retryAfterSeconds: 5,
  },
} as const satisfies ErrorTable;

export type LedgerAppErrorCode = keyof typeof LEDGER_ERRORS;

/** Closed set of this lib's error codes. `unauthenticated`, `forbidden` and `snapshot_stale` are platform's words too. */
export type IdentityErrorCode =
  | 'allowance_unavailable'
  | 'principals_invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'snapshot_stale';

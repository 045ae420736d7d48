import type { PicoUsd } from '#libs/kernel';

/** Leases are asked for this many requests at once … */
const REQUESTS_PER_LEASE = 32n;
/** … but never for more than this part of the limit, so that other writers find room … */
const LIMIT_SHARE_MAX = 8n;
/** … and, where the limit is large, for at least this part, so that a busy writer asks seldom. */
const LIMIT_SHARE_MIN = 64n;
/** Where the limit is what was bought, which only the ledger knows: few, so that the last of it is not withheld. */
const REQUESTS_PER_UNKNOWN_LIMIT = 8n;

/** What to ask for where this much is needed now and that much is waited for; `limit` absent = not known here. */
export function wantedOf(needed: PicoUsd, limit: PicoUsd | undefined, waiting: PicoUsd): PicoUsd {
  const ahead =
    limit === undefined
      ? needed * REQUESTS_PER_UNKNOWN_LIMIT
      : max(min(needed * REQUESTS_PER_LEASE, limit / LIMIT_SHARE_MAX), limit / LIMIT_SHARE_MIN);
  const wanted = max(ahead, max(waiting, needed));
  // A whole number of requests: a rest too small for one would only be withheld from others.
  return needed === 0n ? wanted : wanted - (wanted % needed);
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);

import type { Pool } from 'pg';
import { DomainError } from '#libs/kernel';
import { LEDGER_ID } from './checkpoints.js';
import type { LedgerStoreErrorCode } from './errors.js';

/** What a log is known by, for ever: the origin of its checkpoints (its key's name) and the key they verify by. */
export interface LogIdentity {
  readonly origin: string;
  /** A C2SP vkey string. */
  readonly verifierKey: string;
}

/**
 * Takes this identity at the first start and holds to it at every later one. Throws `log_identity_changed` for another
 * origin or key: checkpoints of two keys over one tree would be two logs to everybody who checks them.
 */
export async function claimLogIdentity(pool: Pool, claimed: LogIdentity): Promise<void> {
  await pool.query(
    `insert into ledger.log_identity (ledger_id, origin, verifier_key) values ('${LEDGER_ID}', $1, $2)
     on conflict do nothing`,
    [claimed.origin, claimed.verifierKey],
  );
  const { rows } = await pool.query<{ origin: string; verifier_key: string }>(
    `select origin, verifier_key from ledger.log_identity where ledger_id = '${LEDGER_ID}'`,
  );
  const kept = rows[0]!;
  if (kept.origin === claimed.origin && kept.verifier_key === claimed.verifierKey) return;
  throw new DomainError<LedgerStoreErrorCode>(
    'log_identity_changed',
    `this ledger's log is ${kept.verifier_key}, and the signing key at hand is that of ${claimed.verifierKey}: ` +
      'start it with the key it began with',
  );
}

import type { Pool } from 'pg';
import { DomainError } from '#libs/kernel';
import type { LedgerStoreErrorCode } from './errors.js';

/** What a log is known by, for ever: its ledger, the origin of its checkpoints (its key's name), the key they verify by. */
export interface LogIdentity {
  readonly ledgerId: string;
  readonly origin: string;
  /** A C2SP vkey string. */
  readonly verifierKey: string;
}

/**
 * Takes this identity at the first start and holds to it at every later one. Throws `log_identity_changed` for another
 * origin or key: checkpoints of two keys over one tree would be two logs to everybody who checks them.
 */
export async function claimLogIdentity(pool: Pool, claimed: LogIdentity): Promise<void> {
  await claimLedgerId(pool, claimed.ledgerId);
  await pool.query(
    `insert into ledger.log_identity (ledger_id, origin, verifier_key) values (ledger.id(), $1, $2)
     on conflict do nothing`,
    [claimed.origin, claimed.verifierKey],
  );
  const { rows } = await pool.query<{ origin: string; verifier_key: string }>(
    `select origin, verifier_key from ledger.log_identity where ledger_id = ledger.id()`,
  );
  const kept = rows[0]!;
  if (kept.origin === claimed.origin && kept.verifier_key === claimed.verifierKey) return;
  throw new DomainError<LedgerStoreErrorCode>(
    'log_identity_changed',
    `this ledger's log is ${kept.verifier_key}, and the signing key at hand is that of ${claimed.verifierKey}: ` +
      'start it with the key it began with',
  );
}

/** Throws `log_identity_changed` where this database keeps another ledger. */
async function claimLedgerId(pool: Pool, ledgerId: string): Promise<void> {
  await pool.query(
    `update ledger.tree_state set ledger_id = $1
     where ledger_id <> $1 and size = 0 and not exists (select from ledger.log_identity)`,
    [ledgerId],
  );
  const { rows } = await pool.query<{ id: string }>('select ledger.id()');
  if (rows[0]?.id === ledgerId) return;
  throw new DomainError<LedgerStoreErrorCode>(
    'log_identity_changed',
    `this database keeps the ledger ${rows[0]?.id}, not ${ledgerId}: each ledger has a database of its own`,
  );
}

import type { Pool } from 'pg';
import { uuidV7 } from '#libs/kernel';

export interface LeaseRequest {
  readonly writer: string;
  readonly scope: 'key' | 'workspace' | 'organisation';
  readonly scopeId: string;
  readonly neededPicoUsd: bigint;
  readonly wantedPicoUsd: bigint;
  readonly limitPicoUsd: bigint;
}

export type LeaseOutcome =
  | { readonly granted: true; readonly leaseId: string; readonly grantedPicoUsd: bigint }
  | {
      readonly granted: false;
      readonly remainingPicoUsd: bigint;
      /** Held for running generations or leased to writers. */
      readonly heldPicoUsd: bigint;
    };

export interface ScopeUsage {
  readonly postedPicoUsd: bigint;
  readonly heldPicoUsd: bigint;
  readonly leasedPicoUsd: bigint;
}

export interface PeriodUsage {
  readonly dayPicoUsd: bigint;
  readonly weekPicoUsd: bigint;
  readonly monthPicoUsd: bigint;
}

/** What stands against a limit, and leases below it. */
export class Balances {
  constructor(private readonly pool: Pool) {}

  /** posted + held + leased + granted never exceeds the limit: the scope's one row is the lock. */
  async lease(request: LeaseRequest, nowMs: number): Promise<LeaseOutcome> {
    const leaseId = `lease-${uuidV7(nowMs)}`;
    const { rows } = await this.pool.query<{
      granted: string | null;
      posted: string;
      held: string;
      leased: string;
    }>({
      name: 'ledger.grant_lease',
      text: `select * from ledger.grant_lease($1, $2, $3, $4, $5, $6, $7)`,
      values: [
        leaseId,
        request.writer,
        request.scope,
        request.scopeId,
        request.neededPicoUsd.toString(),
        request.wantedPicoUsd.toString(),
        request.limitPicoUsd.toString(),
      ],
    });
    const row = rows[0]!;
    if (row.granted !== null)
      return { granted: true, leaseId, grantedPicoUsd: BigInt(row.granted) };
    const heldPicoUsd = BigInt(row.held) + BigInt(row.leased);
    const remaining = request.limitPicoUsd - BigInt(row.posted) - heldPicoUsd;
    return { granted: false, remainingPicoUsd: remaining > 0n ? remaining : 0n, heldPicoUsd };
  }

  /** Lifetime usage; zero for a scope that never cost anything. */
  async usageOf(scope: LeaseRequest['scope'], scopeId: string): Promise<ScopeUsage> {
    const { rows } = await this.pool.query<{ posted: string; held: string; leased: string }>({
      name: 'ledger.usage_of',
      text: `select posted, held, leased from ledger.scope_balance where scope = $1 and scope_id = $2`,
      values: [scope, scopeId],
    });
    const row = rows[0];
    return {
      postedPicoUsd: BigInt(row?.posted ?? 0),
      heldPicoUsd: BigInt(row?.held ?? 0),
      leasedPicoUsd: BigInt(row?.leased ?? 0),
    };
  }

  /** A key's usage in the current UTC day, ISO week and month, by time of receipt. */
  async periodUsageOf(keyId: string): Promise<PeriodUsage> {
    const { rows } = await this.pool.query<{ day: string; week: string; month: string }>({
      name: 'ledger.period_usage',
      text: `with bounds as (
          select date_trunc('day', now(), 'UTC') as day, date_trunc('week', now(), 'UTC') as week,
            date_trunc('month', now(), 'UTC') as month)
        select coalesce(sum(g.amount_pico) filter (where g.received_at >= b.day), 0) as day,
          coalesce(sum(g.amount_pico) filter (where g.received_at >= b.week), 0) as week,
          coalesce(sum(g.amount_pico) filter (where g.received_at >= b.month), 0) as month
        from bounds b, ledger.generation g
        where g.key_id = $1 and g.received_at >= least(b.week, b.month)`,
      values: [keyId],
    });
    const row = rows[0]!;
    return {
      dayPicoUsd: BigInt(row.day),
      weekPicoUsd: BigInt(row.week),
      monthPicoUsd: BigInt(row.month),
    };
  }
}

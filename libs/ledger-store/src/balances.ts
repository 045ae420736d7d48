import type { Pool } from 'pg';
import { LIFETIME, periodAt, periodIdsAt, type LimitReset } from '#libs/kernel';

export interface LeaseRequest {
  /** Given by the writer: who asks again under the same id with the same terms gets the same answer. */
  readonly leaseId: string;
  readonly writer: string;
  readonly scope: 'key' | 'workspace' | 'organisation';
  readonly scopeId: string;
  readonly neededPicoUsd: bigint;
  readonly wantedPicoUsd: bigint;
  readonly limitPicoUsd: bigint;
  /** How often the limit begins anew; null = never. */
  readonly limitReset: LimitReset | null;
  /** It pays in advance: what is left of the credit that it bought binds beside the limit. */
  readonly prepaid: boolean;
}

export type LeaseOutcome =
  | {
      readonly granted: true;
      readonly grantedPicoUsd: bigint;
      /** Id of the calendar period that the lease lies in. */
      readonly period: string;
      /** Unix ms by the clock that was asked with; undefined = never. */
      readonly endsAtMs?: number;
    }
  | {
      readonly granted: false;
      /**
       * `no_room`; or the lease can never be granted: it was given back before, its writer has ended, or its id was used
       * with other terms.
       */
      readonly why: 'no_room' | 'given_back' | 'writer_ended' | 'other_terms';
      readonly remainingPicoUsd: bigint;
      /** What binds: the limit, or what is left of the credit (held or not) where that is less. */
      readonly boundPicoUsd: bigint;
      readonly boundBy: 'limit' | 'credit';
      /** Held for running generations or leased to writers. */
      readonly heldPicoUsd: bigint;
    };

export interface ScopeUsage {
  readonly postedPicoUsd: bigint;
  readonly heldPicoUsd: bigint;
  readonly leasedPicoUsd: bigint;
}

/** Usage of a scope over its lifetime and in the running UTC day, ISO week and month. */
export type PeriodUsage = Readonly<Record<'lifetime' | LimitReset, ScopeUsage>>;

interface GrantRow {
  readonly verdict: 'granted' | 'no_room' | 'given_back' | 'writer_ended' | 'other_terms';
  readonly granted: string | null;
  readonly period: string | null;
  readonly ends_at: Date | null;
  readonly posted: string;
  readonly held: string;
  readonly leased: string;
  readonly by_credit: boolean;
}

/** What stands against a limit, and leases below it. */
export class Balances {
  constructor(private readonly pool: Pool) {}

  /**
   * posted + held + leased + granted never exceeds the limit: the scope's one row is the lock. `nowMs` says which period
   * it is.
   */
  async lease(request: LeaseRequest, nowMs: number): Promise<LeaseOutcome> {
    const period = periodAt(request.limitReset, nowMs);
    const { rows } = await this.pool.query<GrantRow>({
      name: 'ledger.grant_lease',
      text: `select * from ledger.grant_lease($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        request.leaseId,
        request.writer,
        request.scope,
        request.scopeId,
        period.id,
        request.limitReset,
        request.limitReset === null ? null : new Date(period.endsAtMs),
        request.neededPicoUsd.toString(),
        request.wantedPicoUsd.toString(),
        request.limitPicoUsd.toString(),
        request.prepaid,
      ],
    });
    const row = rows[0]!;
    if (row.verdict === 'granted')
      return {
        granted: true,
        grantedPicoUsd: BigInt(row.granted!),
        period: row.period!,
        ...(row.ends_at !== null && { endsAtMs: row.ends_at.getTime() }),
      };
    const heldPicoUsd = BigInt(row.held) + BigInt(row.leased);
    const posted = BigInt(row.posted);
    const bound = row.by_credit ? -posted : request.limitPicoUsd;
    const remaining = bound - heldPicoUsd - (row.by_credit ? 0n : posted);
    return {
      granted: false,
      why: row.verdict,
      remainingPicoUsd: remaining > 0n ? remaining : 0n,
      boundPicoUsd: bound > 0n ? bound : 0n,
      boundBy: row.by_credit ? 'credit' : 'limit',
      heldPicoUsd,
    };
  }

  /** Usage in one period, by its id; zero where nothing ever was. */
  async usageOf(
    scope: LeaseRequest['scope'],
    scopeId: string,
    period: string = LIFETIME,
  ): Promise<ScopeUsage> {
    return (await this.#usage(scope, scopeId, [period])).get(period) ?? NO_USAGE;
  }

  /** Usage in all periods that the moment (Unix ms) lies in. */
  async periodUsageOf(
    scope: LeaseRequest['scope'],
    scopeId: string,
    nowMs: number,
  ): Promise<PeriodUsage> {
    const ids = periodIdsAt(nowMs);
    const usage = await this.#usage(scope, scopeId, Object.values(ids));
    const of = (id: string): ScopeUsage => usage.get(id) ?? NO_USAGE;
    return {
      lifetime: of(ids.lifetime),
      daily: of(ids.daily),
      weekly: of(ids.weekly),
      monthly: of(ids.monthly),
    };
  }

  async #usage(
    scope: LeaseRequest['scope'],
    scopeId: string,
    periods: readonly string[],
  ): Promise<ReadonlyMap<string, ScopeUsage>> {
    const { rows } = await this.pool.query<{
      period: string;
      posted: string;
      held: string;
      leased: string;
    }>({
      name: 'ledger.usage_of',
      text: `select period, posted, held, leased from ledger.period_balance
        where scope = $1 and scope_id = $2 and period = any($3::text[])`,
      values: [scope, scopeId, periods],
    });
    return new Map(
      rows.map((r) => [
        r.period,
        {
          postedPicoUsd: BigInt(r.posted),
          heldPicoUsd: BigInt(r.held),
          leasedPicoUsd: BigInt(r.leased),
        },
      ]),
    );
  }
}

const NO_USAGE: ScopeUsage = { postedPicoUsd: 0n, heldPicoUsd: 0n, leasedPicoUsd: 0n };

import { resetOfPeriod, type Clock, type LimitReset, type PicoUsd } from '#libs/kernel';
import type { LeaseGrant, LimitedScope } from './types.js';

/** A scope with its limit, as the principal has it. */
export interface BudgetScope extends LimitedScope {
  /** Absent where only what was bought in advance binds: then only the ledger knows how much that is. */
  readonly limitPicoUsd?: PicoUsd;
  /** Absent = for the lifetime. */
  readonly limitReset?: LimitReset;
  /** What was bought in advance binds as well, however far the limit goes; absent = no. */
  readonly prepaid?: boolean;
}

export interface HeldLease extends LimitedScope {
  readonly leaseId: string;
  /** Calendar period of the lease; absent = the lifetime. */
  readonly period?: string;
}

/** Both clocks of one moment. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

export const momentOf = (clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): Moment => ({
  wallMs: clock.nowMs(),
  monotonicMs: clock.monotonicMs(),
});

/** One granted lease at hand. */
export class Lease {
  readonly held: HeldLease;
  readonly grantedPicoUsd: PicoUsd;
  remainingPicoUsd: PicoUsd;
  /** Monotonic ms. */
  usedAtMs: number;
  /** Holds that are neither recorded nor cancelled yet. */
  unrecorded = 0;
  readonly #reset: LimitReset | null;
  readonly #endsWallMs: number;
  readonly #endsMonotonicMs: number;

  /** `askedAt`: just before the question left; `askedUnder`: the limit of that moment. */
  constructor(
    grant: LeaseGrant,
    private readonly askedUnder: BudgetScope,
    askedAt: Moment,
    nowMonotonicMs: number,
  ) {
    const { leaseId, scope, grantedPicoUsd, period, usableForMs } = grant;
    this.#reset = resetOfPeriod(period) ?? null;
    this.held = { leaseId, ...scope, ...(this.#reset !== null && { period }) };
    this.grantedPicoUsd = grantedPicoUsd;
    this.remainingPicoUsd = grantedPicoUsd;
    this.usedAtMs = nowMonotonicMs;
    this.#endsWallMs = usableForMs === null ? Infinity : askedAt.wallMs + usableForMs;
    this.#endsMonotonicMs = usableForMs === null ? Infinity : askedAt.monotonicMs + usableForMs;
  }

  /**
   * Its period is over. The ledger's clock said how long the period still had when it granted; from there only passed
   * time counts, never what this machine takes the date to be. Both clocks are asked because a machine that slept has
   * a monotonic clock that slept with it.
   */
  endedBy(now: Moment): boolean {
    return now.monotonicMs >= this.#endsMonotonicMs || now.wallMs >= this.#endsWallMs;
  }

  /**
   * It was granted under the limit in force, or a narrower one: a lowered limit, and one with another interval, takes
   * effect with the snapshot that brings it and not when the leases at hand are spent. (A lease of the other interval
   * that was asked for under the old words is the ledger being ahead of our snapshot.) Who has begun to pay in advance
   * may have bought less than the limit left room for.
   */
  fits(scope: BudgetScope): boolean {
    const { limitPicoUsd } = scope;
    if (scope.prepaid === true && this.askedUnder.prepaid !== true) return false;
    const asked = this.askedUnder.limitPicoUsd;
    if (limitPicoUsd !== undefined && (asked === undefined || asked > limitPicoUsd)) return false;
    return (
      this.#reset === (scope.limitReset ?? null) || this.askedUnder.limitReset === scope.limitReset
    );
  }
}

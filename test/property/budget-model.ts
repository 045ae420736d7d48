// What the balances must be, worked out anew from everything that was granted and folded: no running sums, no order.
import { periodIdsAt, resetOfPeriod, type LimitReset } from '#libs/kernel';

export type Scope = 'key' | 'workspace' | 'organisation';

export interface ModelLease {
  readonly id: string;
  readonly writer: string;
  readonly scope: Scope;
  readonly period: string;
  readonly granted: bigint;
}

export interface ModelHold {
  readonly generation: string;
  readonly writer: string;
  readonly atMs: number;
  readonly amount: bigint;
  readonly leases: readonly ModelLease[];
}

export interface Sums {
  readonly posted: bigint;
  readonly held: bigint;
  readonly leased: bigint;
}

const SCOPES = ['key', 'workspace', 'organisation'] as const;
const NOTHING: Sums = { posted: 0n, held: 0n, leased: 0n };

/** Facts only grow. What is folded is said by whoever folds. */
export class BudgetModel {
  readonly leases = new Map<string, ModelLease>();
  readonly opened = new Map<string, ModelHold>();
  /** Cost of the close in force, by generation. */
  readonly closed = new Map<string, bigint>();
  /** `writer lease` pairs. */
  readonly givenBack = new Set<string>();
  readonly ended = new Set<string>();

  balances(): ReadonlyMap<string, Sums> {
    const sums = new Map<string, Sums>();
    const add = (scope: Scope, period: string, by: Partial<Sums>): void => {
      const { posted, held, leased } = sums.get(`${scope} ${period}`) ?? NOTHING;
      sums.set(`${scope} ${period}`, {
        posted: posted + (by.posted ?? 0n),
        held: held + (by.held ?? 0n),
        leased: leased + (by.leased ?? 0n),
      });
    };
    for (const hold of this.opened.values()) {
      const cost = this.closed.get(hold.generation);
      for (const scope of SCOPES) {
        const lease = hold.leases.find((l) => l.scope === scope);
        for (const period of periodsOf(hold.atMs, lease?.period)) {
          if (cost !== undefined) add(scope, period, { posted: cost });
          else if (lease !== undefined) add(scope, period, { held: hold.amount });
        }
      }
    }
    for (const lease of this.leases.values())
      if (this.isOpen(lease)) add(lease.scope, lease.period, { leased: this.#unspent(lease) });
    return sums;
  }

  /** Room below the limit in this period, for a lease of this kind of limit. */
  room(scope: Scope, period: string, limit: bigint): bigint {
    const { posted, held, leased } = this.balances().get(`${scope} ${period}`) ?? NOTHING;
    let otherKinds = 0n;
    for (const lease of this.leases.values())
      if (lease.scope === scope && this.isOpen(lease) && kindOf(lease.period) !== kindOf(period))
        otherKinds += this.#unspent(lease);
    return limit - posted - held - leased - otherKinds;
  }

  isOpen({ id, writer }: ModelLease): boolean {
    return !this.ended.has(writer) && !this.givenBack.has(`${writer} ${id}`);
  }

  #unspent(lease: ModelLease): bigint {
    let rest = lease.granted;
    for (const hold of this.opened.values())
      if (hold.leases.some((l) => l.id === lease.id)) rest -= hold.amount;
    return rest > 0n ? rest : 0n;
  }
}

const kindOf = (period: string): LimitReset | null => resetOfPeriod(period) ?? null;

function periodsOf(atMs: number, leased: string | undefined): readonly string[] {
  const ids: Record<string, string> = { ...periodIdsAt(atMs) };
  const kind = leased === undefined ? null : kindOf(leased);
  if (kind !== null && leased !== undefined) ids[kind] = leased;
  return Object.values(ids);
}

import type { HoldData } from '#libs/audit-events';
import { LIFETIME, periodIdsAt, resetOfPeriod } from '#libs/kernel';
import type { GenerationState } from '#libs/ledger';
import type { BalanceDelta, HoldRow, LeaseRow } from './rows.js';

type Opening = NonNullable<GenerationState['opening']>;
type Paid = Pick<Opening, 'hold' | 'payer'>;
type LeasedRoom = Pick<LeaseRow, 'scope' | 'scopeId' | 'period'>;
type Changes = Partial<Pick<BalanceDelta, 'posted' | 'held' | 'leased'>>;

/** Beside the calendar's: an organisation's use of its credit and what it was given back, less what it bought. Below zero as long as there is some. */
const PREPAID = 'prepaid';

/**
 * Holds, leases and balances of one batch. A hold leaves `leased` and enters `held` in the same step, and leaves `held`
 * when its cost enters `posted`: the sum under a limit never dips in between. Both stand in the same periods for good,
 * those of the opening record: what was held before midnight is captured there, whenever it ends.
 */
export class LimitsWork {
  /** Holds born in this batch. */
  readonly placed = new Map<string, HoldRow[]>();
  /** Holds of earlier batches that end in this one: generation id → state. */
  readonly ended = new Map<string, 'captured' | 'released'>();
  /** Leases given back that were not there when the batch was loaded: id → writer. */
  readonly unknownReturns = new Map<string, string>();
  readonly leases: Map<string, LeaseRow>;
  readonly #deltas = new Map<string, BalanceDelta>();

  constructor(leases: ReadonlyMap<string, LeaseRow>) {
    this.leases = new Map(leases);
  }

  /**
   * Changes by scope and period. Lifetime rows come first: each is its scope's lock, so that no two transactions make or
   * lock rows crosswise.
   */
  get deltas(): readonly BalanceDelta[] {
    const lockFirst = ({ period }: BalanceDelta): number => (period === LIFETIME ? 0 : 1);
    return [...this.#deltas.entries()]
      .sort(([a, x], [b, y]) => lockFirst(x) - lockFirst(y) || (a < b ? -1 : 1))
      .map(([, delta]) => delta);
  }

  /** A hold as its `opened` record says it. The record is the truth: a lease it overdraws is no reason to lose it. */
  place(generationId: string, opening: Paid): void {
    const { hold } = opening;
    if (hold.leases.length === 0) return;
    const amount = BigInt(hold.amountPicoUsd);
    const rows = hold.leases.map((ref): HoldRow => {
      this.#change(ref.scope, ref.id, periodsOf(opening, ref.scope), { held: amount });
      const lease = this.leases.get(ref.leaseId);
      if (lease !== undefined) {
        if (lease.open) {
          const unspent = lease.granted - lease.allotted;
          const taken = unspent < 0n ? 0n : amount < unspent ? amount : unspent;
          this.unlease(lease, taken);
        }
        lease.allotted += amount;
        lease.dirty = true;
      }
      return {
        generationId,
        scope: ref.scope,
        scopeId: ref.id,
        leaseId: ref.leaseId,
        period: ref.period ?? LIFETIME,
        amount,
        state: 'held',
      };
    });
    this.placed.set(generationId, rows);
  }

  /** The writer will place no more holds on it: what is unspent is free again. Another writer's is not its to give. */
  giveBack(leaseId: string, writer: string): void {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) {
      this.unknownReturns.set(leaseId, writer);
      return;
    }
    if (!lease.open || lease.writer !== writer) return;
    const unspent = lease.granted - lease.allotted;
    if (unspent > 0n) this.unlease(lease, unspent);
    lease.open = false;
    lease.dirty = true;
  }

  settle(opening: Opening, first: boolean, generationId: string, deltaPicoUsd: bigint): void {
    const { hold } = opening;
    if (deltaPicoUsd !== 0n)
      for (const [scope, id] of [
        ['key', opening.keyId],
        ['workspace', opening.workspaceId],
        ['organisation', opening.organisationId],
      ] as const)
        this.#change(scope, id, periodsOf(opening, scope), { posted: deltaPicoUsd });
    if (!first || hold.leases.length === 0) return;
    const state = deltaPicoUsd > 0n ? 'captured' : 'released';
    const amount = BigInt(hold.amountPicoUsd);
    for (const ref of hold.leases)
      this.#change(ref.scope, ref.id, periodsOf(opening, ref.scope), { held: -amount });
    const born = this.placed.get(generationId);
    if (born === undefined) this.ended.set(generationId, state);
    else for (const row of born) row.state = state;
  }

  /** Credit that an organisation bought: what it may use in advance is what this has over what it used. */
  buy(organisationId: string, amount: bigint): void {
    this.#change('organisation', organisationId, [LIFETIME], {});
    this.#change('organisation', organisationId, [PREPAID], { posted: -amount });
  }

  /** Credit that was given back. It is no use of any limit. */
  refund(organisationId: string, amount: bigint): void {
    this.#change('organisation', organisationId, [LIFETIME], {});
    this.#change('organisation', organisationId, [PREPAID], { posted: amount });
  }

  /** What was reserved on the credit for a refund, and is posted or free now. */
  unreserve(organisationId: string, amount: bigint): void {
    this.#change('organisation', organisationId, [LIFETIME], {});
    this.#change('organisation', organisationId, [PREPAID], { held: -amount });
  }

  /** Room of a lease that is leased no more: held now, or free. */
  unlease({ scope, scopeId, period }: LeasedRoom, amount: bigint): void {
    this.#change(scope, scopeId, [LIFETIME], {});
    this.#change(scope, scopeId, [period], { leased: -amount });
  }

  #change(scope: string, scopeId: string, periods: readonly string[], by: Changes): void {
    for (const period of periods) {
      const name = `${scope}:${scopeId}:${period}`;
      let delta = this.#deltas.get(name);
      if (delta === undefined) {
        delta = { scope, scopeId, period, posted: 0n, held: 0n, leased: 0n };
        this.#deltas.set(name, delta);
      }
      delta.posted += by.posted ?? 0n;
      delta.held += by.held ?? 0n;
      delta.leased += by.leased ?? 0n;
    }
  }
}

/**
 * Where a generation counts for a scope: its lifetime, day, week and month by the time of its hold. The period that its
 * lease lies in takes the place of its own kind: the ledger's clock chose it, and the writer's may differ. What an
 * organisation pays for in advance also counts against its credit.
 */
function periodsOf({ hold, payer }: Paid, scope: string): readonly string[] {
  const periods = calendarPeriodsOf(hold, scope);
  return scope === 'organisation' && payer === 'prepaid' ? [...periods, PREPAID] : periods;
}

function calendarPeriodsOf(hold: HoldData, scope: string): readonly string[] {
  const ids = periodIdsAt(Date.parse(hold.at));
  const leased = hold.leases.find((ref) => ref.scope === scope)?.period;
  const kind = leased === undefined ? null : resetOfPeriod(leased);
  if (leased === undefined || kind === null || kind === undefined) return Object.values(ids);
  return Object.values({ ...ids, [kind]: leased });
}

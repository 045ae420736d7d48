import type { HoldData } from '#libs/audit-events';
import type { GenerationState } from '#libs/ledger';
import type { BalanceDelta, HoldRow, LeaseRow } from './rows.js';

/**
 * Holds, leases and balances of one batch. A hold leaves `leased` and enters `held` in the same step, and leaves `held`
 * when its cost enters `posted`: the sum under a limit never dips in between.
 */
export class LimitsWork {
  /** Holds born in this batch. */
  readonly placed = new Map<string, HoldRow[]>();
  /** Holds of earlier batches that end in this one: generation id → state. */
  readonly ended = new Map<string, 'captured' | 'released'>();
  readonly leases: Map<string, LeaseRow>;
  readonly #deltas = new Map<string, BalanceDelta>();

  constructor(leases: ReadonlyMap<string, LeaseRow>) {
    this.leases = new Map(leases);
  }

  /** Changes by scope, in one fixed order, so that no two transactions lock the rows crosswise. */
  get deltas(): readonly BalanceDelta[] {
    return [...this.#deltas.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, delta]) => delta);
  }

  /** A hold as its `opened` record says it. The record is the truth: a lease it overdraws is no reason to lose it. */
  place(generationId: string, hold: HoldData): void {
    if (hold.leases.length === 0) return;
    const amount = BigInt(hold.amountPicoUsd);
    const rows = hold.leases.map((ref): HoldRow => {
      this.#delta(ref.scope, ref.id).held += amount;
      const lease = this.leases.get(ref.leaseId);
      if (lease !== undefined) {
        if (lease.open) {
          const unspent = lease.granted - lease.allotted;
          const taken = unspent < 0n ? 0n : amount < unspent ? amount : unspent;
          this.#delta(lease.scope, lease.scopeId).leased -= taken;
        }
        lease.allotted += amount;
        lease.dirty = true;
      }
      return {
        generationId,
        scope: ref.scope,
        scopeId: ref.id,
        leaseId: ref.leaseId,
        amount,
        state: 'held',
      };
    });
    this.placed.set(generationId, rows);
  }

  /** The writer will place no more holds on it: what is unspent is free again. */
  giveBack(leaseId: string): void {
    const lease = this.leases.get(leaseId);
    if (lease === undefined || !lease.open) return;
    const unspent = lease.granted - lease.allotted;
    if (unspent > 0n) this.#delta(lease.scope, lease.scopeId).leased -= unspent;
    lease.open = false;
    lease.dirty = true;
  }

  settle(
    opening: NonNullable<GenerationState['opening']>,
    first: boolean,
    generationId: string,
    deltaPicoUsd: bigint,
  ): void {
    if (deltaPicoUsd !== 0n) {
      this.#delta('key', opening.keyId).posted += deltaPicoUsd;
      this.#delta('workspace', opening.workspaceId).posted += deltaPicoUsd;
      this.#delta('organisation', opening.organisationId).posted += deltaPicoUsd;
    }
    if (!first || opening.hold.leases.length === 0) return;
    const state = deltaPicoUsd > 0n ? 'captured' : 'released';
    const amount = BigInt(opening.hold.amountPicoUsd);
    for (const ref of opening.hold.leases) this.#delta(ref.scope, ref.id).held -= amount;
    const born = this.placed.get(generationId);
    if (born === undefined) this.ended.set(generationId, state);
    else for (const row of born) row.state = state;
  }

  #delta(scope: string, scopeId: string): BalanceDelta {
    const name = `${scope}:${scopeId}`;
    let delta = this.#deltas.get(name);
    if (delta === undefined) {
      delta = { scope, scopeId, posted: 0n, held: 0n, leased: 0n };
      this.#deltas.set(name, delta);
    }
    return delta;
  }
}

import { WRITER_NAMES } from './traffic.js';
import type { Balances } from '#libs/ledger-store';

export interface LeasedRoom {
  readonly leaseId: string;
  readonly scope: 'key' | 'organisation';
  readonly id: string;
  readonly period?: string;
}

/** Room under a limit for this writer, by the leases that it would hold. */
export interface Rooms {
  take(writer: number, scope: LeasedRoom['scope'], id: string, amount: bigint): Promise<LeasedRoom>;
  /** Ids of leases used up since the last call: the next heartbeat gives them back. */
  takeSpent(writer: number): readonly string[];
}

/** A lease covers some hundred holds. */
const LEASE_PICO_USD = 2_000_000_000_000n;
/** Never reached: what a limit does is not measured here. */
const LIMIT_PICO_USD = 10n ** 24n;

interface Held extends LeasedRoom {
  left: bigint;
}

/** Leases as the ledger grants them, of which every second kind begins anew each month. */
export class GrantedRooms implements Rooms {
  readonly #held = new Map<string, Held>();
  readonly #spent: string[][] = WRITER_NAMES.map(() => []);
  #count = 0;

  constructor(
    private readonly balances: Balances,
    private readonly nowMs: number,
  ) {}

  async take(
    writer: number,
    scope: LeasedRoom['scope'],
    id: string,
    amount: bigint,
  ): Promise<LeasedRoom> {
    const name = `${writer} ${scope} ${id}`;
    let held = this.#held.get(name);
    if (held === undefined || held.left < amount) {
      if (held !== undefined) this.#spent[writer]!.push(held.leaseId);
      held = await this.#grant(writer, scope, id);
      this.#held.set(name, held);
    }
    held.left -= amount;
    const { left: _, ...room } = held;
    return room;
  }

  takeSpent(writer: number): readonly string[] {
    return this.#spent[writer]!.splice(0);
  }

  async #grant(writer: number, scope: LeasedRoom['scope'], id: string): Promise<Held> {
    const leaseId = `lease-bench-${this.#count++}`;
    const outcome = await this.balances.lease(
      {
        leaseId,
        writer: WRITER_NAMES[writer]!,
        scope,
        scopeId: id,
        neededPicoUsd: LEASE_PICO_USD,
        wantedPicoUsd: LEASE_PICO_USD,
        limitPicoUsd: LIMIT_PICO_USD,
        limitReset: scope === 'key' ? 'monthly' : null,
        prepaid: false,
      },
      this.nowMs,
    );
    if (!outcome.granted) throw new Error(`no lease for ${id}: ${outcome.why}`);
    const period = scope === 'key' ? { period: outcome.period } : {};
    return { leaseId, scope, id, ...period, left: LEASE_PICO_USD };
  }
}

import type { PicoUsd } from '#libs/kernel';
import type { BudgetScope, HeldLease, Lease } from './lease.js';
import type { LeaseAnswer, LimitedScope } from './types.js';

/**
 * Room taken from one lease per scope. Exactly one of the two must be called, once: until then the leases cannot be
 * given back, so that no hold is recorded behind the words that gave its lease back.
 */
export interface Hold {
  readonly leases: readonly HeldLease[];
  /** The record that names these leases is in the writer's queue: the room has left the leases for good. */
  recorded(): void;
  /** No record will name them: the room returns to the leases. */
  cancel(): void;
}

export type Reservation =
  | { readonly ok: true; readonly hold: Hold }
  /** The leases at hand do not suffice for this scope: `hold` asks for more. */
  | { readonly ok: false; readonly short: BudgetScope };

export type HoldOutcome =
  | { readonly ok: true; readonly hold: Hold }
  | ({ readonly ok: false; readonly scope: LimitedScope } & Omit<
      Extract<LeaseAnswer, { granted: false }>,
      'granted'
    >);

/** The amount has left these leases already. */
export function holdOn(taken: readonly Lease[], amountPicoUsd: PicoUsd): Hold {
  let open = true;
  const settle = (returnedPicoUsd: PicoUsd): void => {
    if (!open) throw new Error('a hold is settled once');
    open = false;
    for (const lease of taken) {
      lease.unrecorded -= 1;
      lease.remainingPicoUsd += returnedPicoUsd;
    }
  };
  return {
    leases: taken.map((lease) => lease.held),
    recorded: () => settle(0n),
    cancel: () => settle(amountPicoUsd),
  };
}

import { MAIN_LEDGER, type EventAppender } from '#libs/audit-log';
import type { LeaseBook, Organisation } from '#libs/identity';
import type { OncePerWriter } from './once-per-writer.js';

/** One ledger as the data plane knows it: where its records go, and who leases room below its limits. */
export interface Lane {
  readonly ledgerId: string;
  readonly audit: EventAppender;
  /** What this ledger's log has been told already: another's has not. */
  readonly said: OncePerWriter;
  readonly leases: LeaseBook;
}

/** The ledgers that this ingress serves. An organisation belongs to one, and all its records go there. */
export class Lanes<L extends Lane = Lane> {
  readonly #byLedger: ReadonlyMap<string, L>;

  constructor(readonly all: readonly L[]) {
    this.#byLedger = new Map(all.map((lane) => [lane.ledgerId, lane]));
  }

  /** Undefined where another ingress serves that ledger. */
  of(organisation: Organisation): L | undefined {
    return this.#byLedger.get(organisation.ledgerId ?? MAIN_LEDGER);
  }
}

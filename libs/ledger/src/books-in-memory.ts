import { isStranger, type CustosEvent } from '#libs/audit-events';
import type { Terms } from './book-due.js';
import { bookLeaf, type Booking, type BooksSoFar, type Leaf } from './book-leaf.js';
import { purchaseOf } from './book-refund.js';
import type { Journal } from './journal.js';
import type { GenerationState } from './life-cycle.js';
import type { ClosedPeriod } from './period.js';

/** The books without a database: for who recomputes them from leaves in their order, with all price books at hand. */
export class BooksInMemory implements BooksSoFar {
  readonly closedPeriods: ClosedPeriod[] = [];
  /** What the newest settlement was. */
  lastSettled: Booking['settled'];
  readonly #generations = new Map<string, GenerationState>();
  readonly #credits = new Set<string>();
  readonly #refunds = new Set<string>();
  readonly #refunded = new Set<string>();
  readonly #invoices = new Set<string>();
  readonly #highWater = new Map<string, number>();

  constructor(private readonly terms: Terms) {}

  generation(id: string): GenerationState | undefined {
    return this.#generations.get(id);
  }

  hasCredit(id: string): boolean {
    return this.#credits.has(id);
  }

  hasRefund(refundId: string): boolean {
    return this.#refunds.has(refundId);
  }

  hasRefundOf(creditId: string): boolean {
    return this.#refunded.has(creditId);
  }

  hasInvoice(key: string): boolean {
    return this.#invoices.has(key);
  }

  /** The journals that the leaf causes. One that is not its writer's to say, or that he had to repeat, causes none. */
  take(leaf: Leaf): readonly Journal[] {
    if (isStranger(leaf.event) || !this.#isNew(leaf.event)) return [];
    return this.keep(bookLeaf(leaf, this, this.terms));
  }

  /** Keeps what a booking gives, and returns its journals. */
  keep({
    generation,
    credit,
    refund,
    closedPeriod,
    invoice,
    settled,
  }: Booking): readonly Journal[] {
    if (settled !== undefined) this.lastSettled = settled;
    if (generation !== undefined) this.#generations.set(generation.id, generation);
    if (closedPeriod !== undefined) this.closedPeriods.push(closedPeriod);
    if (invoice !== undefined) {
      this.#invoices.add(invoice.key);
      return invoice.journal === undefined ? [] : [invoice.journal];
    }
    if (refund !== undefined) {
      this.#refunds.add(refund.said.refundId);
      const creditId = purchaseOf(refund.said.of);
      if (creditId !== undefined) this.#refunded.add(creditId);
      return [refund.journal];
    }
    if (credit === undefined) return settled?.journals ?? [];
    this.#credits.add(credit.id);
    return [credit.journal];
  }

  #isNew({ writer, wseq }: CustosEvent): boolean {
    if (wseq <= (this.#highWater.get(writer) ?? -1)) return false;
    this.#highWater.set(writer, wseq);
    return true;
  }
}

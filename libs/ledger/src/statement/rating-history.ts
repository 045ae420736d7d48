import type { CustosEvent } from '#libs/audit-events';
import type { Terms } from '../book-due.js';
import { bookLeaf, type BooksSoFar } from '../book-leaf.js';
import { isGenerationEvent, type GenerationState } from '../life-cycle.js';
import type { RatedAttempt } from '../settle.js';

/**
 * How each journal of one generation was rated, by journal id: made again from its records in leaf order, by the rule
 * that posted them. The ledger keeps only the rating in force; what was reversed is found here. A reversal is rated as
 * what it takes back.
 */
export function ratingHistory(
  records: readonly { readonly leafIndex: bigint; readonly event: CustosEvent }[],
  terms: Terms,
): ReadonlyMap<bigint, readonly RatedAttempt[]> {
  const ratings = new Map<bigint, readonly RatedAttempt[]>();
  let state: GenerationState | undefined;
  const books: BooksSoFar = {
    generation: () => state,
    hasCredit: () => false,
    hasRefund: () => false,
    hasRefundOf: () => false,
    hasInvoice: () => false,
    closedPeriods: [],
  };
  for (const { leafIndex, event } of records) {
    if (!isGenerationEvent(event)) continue;
    const booking = bookLeaf({ index: leafIndex, event }, books, terms);
    state = booking.generation ?? state;
    const { settled } = booking;
    for (const journal of settled?.journals ?? []) {
      const rated =
        journal.reverses === undefined
          ? settled?.ratings.get(journal.id)
          : ratings.get(journal.reverses);
      if (rated !== undefined) ratings.set(journal.id, rated);
    }
  }
  return ratings;
}

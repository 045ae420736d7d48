import type { CustosEvent, LedgerRefund, RefundGranted, RefundOf } from '#libs/audit-events';
import { journalOfRefund, POSTING_MAX, type Journal, type Posting } from './journal.js';
import { postingPeriod } from './period.js';

/** Credit that was given back, as it stands in the books. */
export interface BookedRefund {
  readonly said: RefundGranted;
  readonly journal: Journal;
}

/** What was given back so far, as far as one refund needs it. */
export interface RefundsSoFar {
  hasRefund(refundId: string): boolean;
  /** True where that purchase was given back. */
  hasRefundOf(creditId: string): boolean;
}

/** The purchase that is to be taken back whole; undefined where an amount is asked for. */
export const purchaseOf = (of: RefundOf): string | undefined =>
  'creditId' in of ? of.creditId : undefined;

/** False where nothing may follow from it: one person alone said so, or of nothing, or of more than a posting holds. */
export function isByTwo({ of, author, approver }: LedgerRefund): boolean {
  const amount = 'amountPicoUsd' in of ? BigInt(of.amountPicoUsd) : 1n;
  return author !== approver && amount > 0n && amount <= POSTING_MAX;
}

/**
 * Takes a granted refund into the books, once by its id and once for a purchase. The journal follows from the record alone
 * and from no balance: whether there was credit enough the ledger has looked before it said so. A record that gives back
 * another sum than it says was asked for, or a fee with an amount, or names one person as both, has no effect.
 */
export function bookRefund(
  { data }: Extract<CustosEvent, { type: 'custos.ledger.refund_granted.v1' }>,
  index: bigint,
  openFromMonth: string,
  books: RefundsSoFar,
): { readonly effect: 'repeated' | 'unusable' | 'refunded'; readonly refund?: BookedRefund } {
  const creditId = purchaseOf(data.of);
  if (books.hasRefund(data.refundId)) return { effect: 'repeated' };
  if (creditId !== undefined && books.hasRefundOf(creditId)) return { effect: 'repeated' };
  if (!isByTwo(data)) return { effect: 'unusable' };
  if ('amountPicoUsd' in data.of)
    if (data.of.amountPicoUsd !== data.amountPicoUsd || data.feePicoUsd !== '0')
      return { effect: 'unusable' };
  let postings: readonly Posting[];
  try {
    postings = journalOfRefund(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { effect: 'unusable' };
  }
  if (postings.length === 0) return { effect: 'unusable' };
  const journal: Journal = {
    id: index * 2n,
    leafIndex: index,
    kind: 'refund',
    effectiveAt: data.at,
    period: postingPeriod(data.at, openFromMonth),
    author: data.author,
    approver: data.approver,
    reason: data.reason,
    postings,
  };
  return { effect: 'refunded', refund: { said: data, journal } };
}

import type { InvoiceIssued } from '#libs/audit-events';
import { journalOfInvoice, type Journal } from './journal.js';
import { monthAfter } from './period.js';
import { PICO_USD_PER_CENT } from './statement/cents.js';

/** An invoice as it stands in the books: what its record says, and the journal of its rounding, if there is any. */
export interface BookedInvoice {
  readonly key: string;
  readonly said: InvoiceIssued;
  readonly journal?: Journal;
}

/** More lines than any invoice has; half a cent of each is far below what a posting can hold. */
const LINES_MAX = 100_000_000;

/** One invoice per organisation and month. */
export const invoiceKey = (organisationId: string, period: string): string =>
  `${period}/${organisationId}`;

/**
 * Takes an invoice into the books, once. Its rounding closes the month that it is for, and follows from the record
 * alone. A record that asks for no whole cents, or rounds by more than half a cent a line, has no effect: nothing else can
 * be posted under the name of rounding.
 */
export function bookInvoice(
  said: InvoiceIssued,
  index: bigint,
  books: { hasInvoice(key: string): boolean },
): { readonly effect: 'repeated' | 'unusable' | 'invoiced'; readonly invoice?: BookedInvoice } {
  const key = invoiceKey(said.organisationId, said.period);
  if (books.hasInvoice(key)) return { effect: 'repeated' };
  const payable = BigInt(said.payablePicoUsd);
  const difference = payable - BigInt(said.exactPicoUsd);
  const most = (BigInt(Math.min(said.lines, LINES_MAX)) * PICO_USD_PER_CENT) / 2n;
  if (payable % PICO_USD_PER_CENT !== 0n || difference > most || -difference > most)
    return { effect: 'unusable' };
  if (difference === 0n) return { effect: 'invoiced', invoice: { key, said } };
  const journal: Journal = {
    id: index * 2n,
    leafIndex: index,
    kind: 'rounding',
    effectiveAt: lastInstantOf(said.period),
    period: said.period,
    reason: said.number,
    postings: journalOfInvoice(said),
  };
  return { effect: 'invoiced', invoice: { key, said, journal } };
}

const lastInstantOf = (month: string): string =>
  new Date(Date.parse(`${monthAfter(month)}-01T00:00:00.000Z`) - 1).toISOString();

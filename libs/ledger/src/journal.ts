import type { InvoiceIssued, LedgerCredit, Payer, RefundGranted } from '#libs/audit-events';

/** Signed integer pico-USD: a debit is positive, a credit negative. JSON-safe: the amount is a decimal string. */
export interface Posting {
  readonly account: string;
  readonly amountPicoUsd: string;
}

/** One entry in the books, as drafted: the database adds when it was recorded. */
export interface Journal {
  readonly id: bigint;
  /** The leaf that caused it. */
  readonly leafIndex: bigint;
  readonly kind: JournalKind;
  /** Absent where it is about none: credit, a refund, the rounding of an invoice. */
  readonly generationId?: string;
  /** The price book that its amounts follow from. */
  readonly priceBook?: string;
  /** When what it accounts for happened, RFC 3339. */
  readonly effectiveAt: string;
  /** The month that it is posted into: that of `effectiveAt`, or the first one still open. */
  readonly period: string;
  /** Of a reversal: the journal that it takes back. */
  readonly reverses?: bigint;
  /** Who had it posted and why; absent where the records of a generation alone did. */
  readonly author?: string;
  /** The second person; of refunds. */
  readonly approver?: string;
  readonly reason?: string;
  readonly postings: readonly Posting[];
}

export type JournalKind = 'usage' | 'correction' | 'reversal' | 'credit' | 'refund' | 'rounding';

export interface JournalInput {
  readonly organisationId: string;
  readonly payer: Payer;
  /** The model sold: what the revenue is for. */
  readonly model: string;
  readonly customerPicoUsd: bigint;
  /** What each provider will charge us, by provider id. */
  readonly providerPicoUsd: ReadonlyMap<string, bigint>;
}

/** A posting is 63 bits and a sign in the database: about USD 9.2 million. */
export const POSTING_MAX = 2n ** 63n - 1n;

/**
 * Double entry for one generation: the customer owes us (or uses up what it bought), revenue arises; each provider is
 * owed, its cost arises. The amounts add up to zero. Where nothing is to be charged on either side there is no journal
 * (an empty list). Throws RangeError on an amount that no posting can hold.
 */
export function journalFor(input: JournalInput): readonly Posting[] {
  const postings: Posting[] = [];
  const pair = (debit: string, credit: string, amount: bigint): void => {
    postings.push(posting(debit, amount), posting(credit, -amount));
  };
  if (input.customerPicoUsd !== 0n)
    pair(
      `customer:${input.organisationId}:${input.payer}`,
      `revenue:usage:${input.model}`,
      input.customerPicoUsd,
    );
  for (const provider of [...input.providerPicoUsd.keys()].sort()) {
    const amount = input.providerPicoUsd.get(provider) ?? 0n;
    if (amount !== 0n) pair(`cogs:provider:${provider}`, `payable:provider:${provider}`, amount);
  }
  return postings;
}

/**
 * Credit bought: what was paid is on its way to us; the amount is owed to the customer as credit, the fee is revenue.
 * Empty where nothing was bought. Throws RangeError as `journalFor`.
 */
export function journalOfCredit(credit: LedgerCredit): readonly Posting[] {
  const amount = BigInt(credit.amountPicoUsd);
  const fee = BigInt(credit.feePicoUsd);
  return [
    posting('settlement:clearing', amount + fee),
    posting(`customer:${credit.organisationId}:prepaid`, -amount),
    posting('revenue:fees', -fee),
  ].filter((p) => p.amountPicoUsd !== '0');
}

/**
 * Credit given back: what `journalOfCredit` posts, the other way round. Of an amount there is no fee in it, and so the fee
 * stays revenue. Empty where nothing is given back. Throws RangeError as `journalFor`.
 */
export function journalOfRefund(refund: RefundGranted): readonly Posting[] {
  const amount = BigInt(refund.amountPicoUsd);
  const fee = BigInt(refund.feePicoUsd);
  return [
    posting('settlement:clearing', -amount - fee),
    posting(`customer:${refund.organisationId}:prepaid`, amount),
    posting('revenue:fees', fee),
  ].filter((p) => p.amountPicoUsd !== '0');
}

/**
 * What an invoice in whole cents asks for beyond the journals of its month, or below: so that the customer's account
 * shows what it owes. Empty where that is nothing. Throws RangeError as `journalFor`.
 */
export function journalOfInvoice(invoice: InvoiceIssued): readonly Posting[] {
  const difference = BigInt(invoice.payablePicoUsd) - BigInt(invoice.exactPicoUsd);
  return [
    posting(`customer:${invoice.organisationId}:receivable`, difference),
    posting('rounding', -difference),
  ].filter((p) => p.amountPicoUsd !== '0');
}

function posting(account: string, amount: bigint): Posting {
  if (amount > POSTING_MAX || -amount > POSTING_MAX)
    throw new RangeError('an amount is beyond what a posting can hold');
  return { account, amountPicoUsd: amount.toString() };
}

/** The journal that takes another back, posting by posting. */
export const reversalOf = (postings: readonly Posting[]): readonly Posting[] =>
  postings.map((p) => ({
    account: p.account,
    amountPicoUsd: (-BigInt(p.amountPicoUsd)).toString(),
  }));

// What is said of money: by control, which two persons decide in, and by the ledger itself. Nothing here is ever rated.
import type { UsageData } from './generation-records.js';

/**
 * `custos.ledger.correction.v1`, said by control: one person's correction of a generation, approved by another. What
 * stands in the books is taken back and posted anew. Exactly one of `usage` and `amount` is there.
 */
export interface LedgerCorrection {
  readonly correctionId: string;
  readonly generationId: string;
  /** Whose generation it was taken for: of another's it has no effect. Absent in records of before it was said. */
  readonly organisationId?: string;
  /** Counted from 1 within the generation: the highest is in force, whichever is read first, and replaces the others. */
  readonly number: number;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  /** What was really used, by attempt; rated by the pinned price book. Attempts left out stay as they were. */
  readonly usage?: readonly { readonly attempt: number; readonly usage: UsageData }[];
  /** What is to be charged, whatever was used. */
  readonly amount?: {
    readonly customerPicoUsd: string;
    /** What a provider charges us; providers left out stay as rated. */
    readonly providers?: readonly { readonly provider: string; readonly amountPicoUsd: string }[];
  };
}

/** `custos.ledger.credit.v1`, said by control: an organisation has bought credit. It paid amount and fee. */
export interface LedgerCredit {
  readonly creditId: string;
  readonly organisationId: string;
  readonly at: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  /** The terms that the fee follows from. */
  readonly fee: { readonly basisPoints: number; readonly minimumPicoUsd: string };
  readonly author: string;
  /** The second person; absent where its author might give so much alone. */
  readonly approver?: string;
  /** Of the payment, in whatever system took it. */
  readonly reference?: string;
}

/** What is asked back: so much of the credit at hand, or one purchase that nothing was taken of, with its fee. */
export type RefundOf = { readonly amountPicoUsd: string } | { readonly creditId: string };

interface RefundSaid {
  readonly refundId: string;
  readonly organisationId: string;
  readonly at: string;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  readonly of: RefundOf;
}

/**
 * `custos.ledger.refund.v1`, said by control: two persons ask that credit be given back. It moves nothing: the ledger looks
 * what is left and says what it decided.
 */
export type LedgerRefund = RefundSaid;

/**
 * `custos.ledger.refund_granted.v1`, said by the ledger once the sum was reserved: it leaves the organisation's credit, and
 * is owed to who paid. The journal follows from this record alone. Who asked, and why, is repeated from the record of control.
 */
export interface RefundGranted extends RefundSaid {
  readonly amountPicoUsd: string;
  /** Above nothing for a purchase that is taken back whole: of an amount the fee stays. */
  readonly feePicoUsd: string;
}

export const REFUND_REFUSALS = [
  /** Used, or given back, or about to be. */
  'not_enough_credit',
  /** It is there, but held for running requests or leased to a gateway. */
  'credit_in_use',
  /** The organisation made no such purchase. */
  'purchase_unknown',
  /** Some of it was used: credit is used up in the order in which it was bought. */
  'purchase_used',
  'purchase_refunded',
] as const;
export type RefundRefusal = (typeof REFUND_REFUSALS)[number];

/** `custos.ledger.refund_declined.v1`, said by the ledger: nothing was reserved and nothing moves. */
export interface RefundDeclined extends RefundSaid {
  readonly why: RefundRefusal;
  /** Bought less used, given back and about to be; signed. */
  readonly creditPicoUsd: string;
  /** Of that held or leased. */
  readonly inUsePicoUsd: string;
}

/**
 * `custos.ledger.cost_differed.v1`, said by the ledger: a provider's own cost figure is further from ours than the
 * tolerance. It follows from the record that settled the generation, and is never rated.
 */
export interface CostDiffered {
  readonly generationId: string;
  /** Event that settled the generation: with the attempt it identifies this one. */
  readonly causeEventId: string;
  readonly attempt: number;
  readonly endpoint: string;
  readonly provider: string;
  readonly priceBook: string;
  /** Absent where the price book has no price for the endpoint. */
  readonly computedPicoUsd?: string;
  readonly reportedPicoUsd: string;
}

/**
 * `custos.ledger.period_closed.v1`, said by the ledger: a calendar month (UTC) whose grace time is over, with the first
 * record of each partition that is late for it.
 */
export interface PeriodClosed {
  /** `2026-11` */
  readonly period: string;
  readonly at: string;
  /** The log whose offsets `through` names. */
  readonly logId: string;
  readonly through: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly next: string;
  }[];
}

/**
 * `custos.ledger.invoice_issued.v1`, said by the ledger: the one invoice of an organisation for a closed month. It
 * follows from the journals of that month among the leaves below `size`; the document is known by its digest.
 */
export interface InvoiceIssued {
  /** Unique; counted per month. */
  readonly number: string;
  readonly organisationId: string;
  /** `2026-11` */
  readonly period: string;
  readonly at: string;
  /** Of the statement's canonical JSON. */
  readonly digest: string;
  /** Lines that were rounded, each to whole cents, half to even. */
  readonly lines: number;
  /** What the customer owes by the journals; signed. */
  readonly exactPicoUsd: string;
  /** The sum of the rounded lines; signed. The difference is posted to `rounding`. */
  readonly payablePicoUsd: string;
  /** The tree that the statement rests on. */
  readonly size: string;
  /** `sha256:` and the root, hex. */
  readonly root: string;
}

/** One side of a comparison with a provider: what it amounts to. Absent cost = nothing was named. */
export interface ReconciledSide {
  readonly attempts: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costPicoUsd: string;
}

/**
 * `custos.ledger.reconciled.v1`, said by the ledger: a provider's usage export was laid beside the books. The file stays
 * with who has it; it and the report are known by their digests.
 */
export interface LedgerReconciled {
  readonly provider: string;
  readonly at: string;
  readonly author: string;
  /** Attempts of generations received in this time were compared. */
  readonly from: string;
  readonly to: string;
  readonly fileDigest: string;
  readonly reportDigest: string;
  readonly ours: ReconciledSide;
  readonly theirs: ReconciledSide;
  readonly matched: number;
  /** By kind; those that a written rule explains are counted again in `explained`. */
  readonly differences: Readonly<Record<string, number>>;
  readonly explained: number;
}

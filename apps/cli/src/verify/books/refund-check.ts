import type { CustosEvent, LedgerCredit, LedgerRefund, RefundGranted } from '#libs/audit-events';
import { isByTwo, purchaseOf, type Booking } from '#libs/ledger';
import type { Findings } from '../report.js';

const TYPES = [
  'custos.ledger.credit.v1',
  'custos.ledger.refund.v1',
  'custos.ledger.refund_granted.v1',
] as const;

/** A purchase, what was asked back, or what was given back. */
export type CreditEvent = Extract<CustosEvent, { type: (typeof TYPES)[number] }>;

/** Undefined for other records, and for those that had no effect on the books. */
export function asCreditEvent(
  event: CustosEvent,
  effect: Booking['effect'],
): CreditEvent | undefined {
  const isOne = (e: CustosEvent): e is CreditEvent => TYPES.some((type) => type === e.type);
  return isOne(event) && effect !== 'repeated' && effect !== 'unusable' ? event : undefined;
}

/**
 * Holds what the ledger gave back against what two persons asked of it, and a purchase that was taken back against what
 * was bought. The journal follows from the ledger's record alone: that somebody asked for it is to be seen here. Memory
 * follows purchases and refunds.
 */
export class RefundCheck {
  readonly #bought = new Map<string, LedgerCredit>();
  readonly #asked = new Map<string, LedgerRefund>();
  readonly #granted = new Map<number, RefundGranted>();

  constructor(private readonly findings: Findings) {}

  get checked(): number {
    return this.#granted.size;
  }

  take(leaf: number, { type, data }: CreditEvent): void {
    if (type === 'custos.ledger.credit.v1') this.#bought.set(data.creditId, data);
    else if (type === 'custos.ledger.refund_granted.v1') this.#granted.set(leaf, data);
    else if (isByTwo(data) && !this.#asked.has(data.refundId)) this.#asked.set(data.refundId, data);
  }

  /** `whole`: nothing stands before the leaves at hand. */
  finish(whole: boolean): void {
    for (const [leaf, granted] of this.#granted) {
      const { refundId, of } = granted;
      const asked = this.#asked.get(refundId);
      const creditId = purchaseOf(of);
      const bought = creditId === undefined ? undefined : this.#bought.get(creditId);
      if (asked === undefined) this.#missing(leaf, whole, `nobody asked for refund ${refundId}`);
      else if (!isAsAsked(granted, asked))
        this.#fault(leaf, `refund ${refundId} is not what two persons asked for`);
      if (creditId === undefined) continue;
      if (bought === undefined)
        this.#missing(leaf, whole, `nobody made purchase ${creditId} of refund ${refundId}`);
      else if (!isAsBought(granted, bought))
        this.#fault(leaf, `refund ${refundId} is not what was paid for purchase ${creditId}`);
    }
  }

  /** It may be said behind these leaves: books that are made again read the ledger's own words first. */
  #missing(leaf: number, whole: boolean, message: string): void {
    if (whole)
      this.findings.fault(
        'incomplete',
        { leafIndex: leaf.toString() },
        `${message} in the leaves at hand`,
      );
    else
      this.findings.notCovered(
        'refunds: what they stand on may have been said before these leaves',
      );
  }

  #fault(leaf: number, message: string): void {
    this.findings.fault('altered', { leafIndex: leaf.toString() }, message);
  }
}

const isAsAsked = (granted: RefundGranted, asked: LedgerRefund): boolean =>
  granted.organisationId === asked.organisationId &&
  granted.author === asked.author &&
  granted.approver === asked.approver &&
  granted.reason === asked.reason &&
  purchaseOf(granted.of) === purchaseOf(asked.of) &&
  amountOf(granted) === amountOf(asked);

const amountOf = ({ of }: LedgerRefund): string | undefined =>
  'amountPicoUsd' in of ? of.amountPicoUsd : undefined;

const isAsBought = (granted: RefundGranted, bought: LedgerCredit): boolean =>
  granted.organisationId === bought.organisationId &&
  granted.amountPicoUsd === bought.amountPicoUsd &&
  granted.feePicoUsd === bought.feePicoUsd;

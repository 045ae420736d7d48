import type { CostDiffered, EventType } from '#libs/audit-events';
import type {
  BookedInvoice,
  Booking,
  BooksSoFar,
  ClosedPeriod,
  GenerationState,
} from '#libs/ledger';
import { RefundsWork, type LoadedRefunds } from './refunds-work.js';
import type { GenerationWork } from './rows.js';

/** Credit that a batch posts. */
export interface CreditRow {
  readonly creditId: string;
  readonly organisationId: string;
  readonly leafIndex: bigint;
  readonly amount: bigint;
  readonly fee: bigint;
  readonly effectiveAt: string;
}

export interface InvoiceRow extends Pick<BookedInvoice, 'said'> {
  readonly leafIndex: bigint;
}

export interface PeriodRow extends ClosedPeriod {
  readonly leafIndex: bigint;
}

/** What the ledger owes the log because of a record, or has said in one. */
export interface SayingRow {
  readonly id: string;
  readonly type: EventType | null;
  readonly subject: string | null;
  readonly data: object | null;
  readonly saidLeaf: bigint | null;
}

/** What is known of the books before the batch, besides generations. */
export interface LoadedBooks {
  readonly logId: string;
  readonly credits: ReadonlySet<string>;
  readonly refunds: LoadedRefunds;
  /** By key. */
  readonly invoices: ReadonlySet<string>;
  /** Ascending. */
  readonly closedPeriods: readonly ClosedPeriod[];
}

/** The books while a batch works on them, as far as they are not generations: credit, months, what is to be said. */
export class BooksWork implements BooksSoFar {
  readonly credits: CreditRow[] = [];
  readonly refunds: RefundsWork;
  readonly periods: PeriodRow[] = [];
  readonly invoices: InvoiceRow[] = [];
  readonly closedPeriods: ClosedPeriod[];
  readonly logId: string;
  readonly #known: Set<string>;
  readonly #invoiced: Set<string>;
  readonly #sayings = new Map<string, SayingRow>();

  constructor(
    private readonly generations: ReadonlyMap<string, GenerationWork>,
    loaded: LoadedBooks,
  ) {
    this.logId = loaded.logId;
    this.closedPeriods = [...loaded.closedPeriods];
    this.refunds = new RefundsWork(loaded.refunds);
    this.#known = new Set(loaded.credits);
    this.#invoiced = new Set(loaded.invoices);
  }

  generation(id: string): GenerationState | undefined {
    return this.generations.get(id)?.state;
  }

  hasCredit(id: string): boolean {
    return this.#known.has(id);
  }

  hasRefund(refundId: string): boolean {
    return this.refunds.hasRefund(refundId);
  }

  hasRefundOf(creditId: string): boolean {
    return this.refunds.hasRefundOf(creditId);
  }

  hasInvoice(key: string): boolean {
    return this.#invoiced.has(key);
  }

  get sayings(): readonly SayingRow[] {
    return [...this.#sayings.values()];
  }

  note(leafIndex: bigint, { credit, refund, closedPeriod, invoice }: Booking): void {
    if (refund !== undefined) this.refunds.note(leafIndex, refund);
    if (invoice !== undefined) {
      this.#invoiced.add(invoice.key);
      this.invoices.push({ said: invoice.said, leafIndex });
    }
    if (closedPeriod !== undefined) {
      this.closedPeriods.push(closedPeriod);
      this.periods.push({ ...closedPeriod, leafIndex });
    }
    if (credit === undefined) return;
    this.#known.add(credit.id);
    this.credits.push({
      creditId: credit.id,
      organisationId: credit.organisationId,
      leafIndex,
      amount: credit.amountPicoUsd,
      fee: credit.feePicoUsd,
      effectiveAt: credit.journal.effectiveAt,
    });
  }

  /** Notes what a settlement makes the ledger say. */
  owe(generationId: string, settled: Booking['settled']): void {
    for (const difference of settled?.settlement.costDifferences ?? []) {
      const causeEventId = settled?.causeEventId ?? '';
      const data: CostDiffered = { generationId, causeEventId, ...difference };
      this.#put({
        id: costSayingId(data),
        type: 'custos.ledger.cost_differed.v1',
        subject: generationId,
        data,
        saidLeaf: null,
      });
    }
  }

  /** Notes that the log has it. */
  said(data: CostDiffered, leafIndex: bigint): void {
    const id = costSayingId(data);
    this.#put({ id, type: null, subject: null, data: null, saidLeaf: leafIndex });
  }

  /** One row per id, whichever half of it came first. */
  #put(row: SayingRow): void {
    const known = this.#sayings.get(row.id);
    this.#sayings.set(row.id, {
      id: row.id,
      type: known?.type ?? row.type,
      subject: known?.subject ?? row.subject,
      data: known?.data ?? row.data,
      saidLeaf: known?.saidLeaf ?? row.saidLeaf,
    });
  }
}

const costSayingId = ({ causeEventId, attempt }: CostDiffered): string =>
  `cost_differed/${causeEventId}/${attempt}`;

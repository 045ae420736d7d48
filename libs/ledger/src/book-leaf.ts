import type { CustosEvent } from '#libs/audit-events';
import { bookDue, type Settled, type Terms } from './book-due.js';
import { bookInvoice, type BookedInvoice } from './book-invoice.js';
import { bookRefund, type BookedRefund, type RefundsSoFar } from './book-refund.js';
import { journalOfCredit, type Journal, type Posting } from './journal.js';
import {
  fold,
  isGenerationEvent,
  unseen,
  type Effect,
  type GenerationState,
} from './life-cycle.js';
import { openFrom, postingPeriod, type ClosedPeriod, type LogPlace } from './period.js';

/** One leaf of the tree as the books see it. A record said again (same writer and wseq) must not be given here. */
export interface Leaf {
  readonly index: bigint;
  readonly event: CustosEvent;
  /** Where the log has it. A reader that has only the leaves, in their order, needs none. */
  readonly place?: LogPlace;
}

/** What the leaves before have made of the books, as far as one leaf needs it. */
export interface BooksSoFar extends RefundsSoFar {
  generation(id: string): GenerationState | undefined;
  /** Credit that has been posted. */
  hasCredit(id: string): boolean;
  /** The invoice of an organisation for a month, by `invoiceKey`. */
  hasInvoice(key: string): boolean;
  /** Months closed so far, ascending. */
  readonly closedPeriods: readonly ClosedPeriod[];
}

/** One leaf's effect on the books. The caller keeps what is given here, and nothing else is to be kept. */
export interface Booking {
  readonly effect:
    Effect | 'noted' | 'credited' | 'refunded' | 'period_closed' | 'invoiced' | 'unusable';
  /** The generation as it stands now; absent where the leaf is about none. */
  readonly generation?: GenerationState;
  /** Present where the leaf settled a generation. */
  readonly settled?: Settled;
  /** The price book that the generation waits for: `bookDue` settles it once it is there. */
  readonly awaits?: string;
  /** Credit that the leaf posted. */
  readonly credit?: {
    readonly id: string;
    readonly organisationId: string;
    readonly amountPicoUsd: bigint;
    readonly feePicoUsd: bigint;
    readonly journal: Journal;
  };
  readonly refund?: BookedRefund;
  readonly closedPeriod?: ClosedPeriod;
  readonly invoice?: BookedInvoice;
}

/**
 * Everything that decides a journal: takes one leaf into the books. Pure; the same leaves in the same order give the
 * same journals on any machine, whether the ledger posts them or a verifier recomputes them.
 */
export function bookLeaf(leaf: Leaf, books: BooksSoFar, terms: Terms): Booking {
  const { event, index } = leaf;
  const open = (): string => openFrom(event.time, books.closedPeriods, leaf.place);
  if (isGenerationEvent(event)) {
    const { generationId } = event.data;
    const before = books.generation(generationId) ?? unseen(generationId);
    // Only of a fact that can settle it matters when it was said.
    const settles =
      event.type === 'custos.generation.closed.v1' || event.type === 'custos.ledger.correction.v1';
    const { state, effect } = fold(before, event, index, settles ? open() : undefined);
    return { effect, generation: state, ...bookDue(state, terms) };
  }
  switch (event.type) {
    case 'custos.ledger.credit.v1':
      return bookCredit(event, index, open(), books);
    case 'custos.ledger.refund_granted.v1':
      return bookRefund(event, index, open(), books);
    case 'custos.ledger.invoice_issued.v1':
      return bookInvoice(event.data, index, books);
    case 'custos.ledger.period_closed.v1': {
      const { period, logId, through } = event.data;
      return books.closedPeriods.some((p) => p.period >= period)
        ? { effect: 'repeated' }
        : { effect: 'period_closed', closedPeriod: { period, logId, through } };
    }
    default:
      return { effect: 'noted' };
  }
}

function bookCredit(
  { data, id }: Extract<CustosEvent, { type: 'custos.ledger.credit.v1' }>,
  index: bigint,
  openFromMonth: string,
  books: BooksSoFar,
): Booking {
  if (books.hasCredit(data.creditId)) return { effect: 'repeated' };
  let postings: readonly Posting[];
  try {
    postings = journalOfCredit(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { effect: 'unusable' };
  }
  if (postings.length === 0) return { effect: 'unusable' };
  const journal: Journal = {
    id: index * 2n,
    leafIndex: index,
    kind: 'credit',
    effectiveAt: data.at,
    period: postingPeriod(data.at, openFromMonth),
    author: data.author,
    reason: data.reference ?? id,
    postings,
  };
  return {
    effect: 'credited',
    credit: {
      id: data.creditId,
      organisationId: data.organisationId,
      amountPicoUsd: BigInt(data.amountPicoUsd),
      feePicoUsd: BigInt(data.feePicoUsd),
      journal,
    },
  };
}

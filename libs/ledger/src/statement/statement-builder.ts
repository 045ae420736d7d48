import type { Payer } from '#libs/audit-events';
import { monthOf } from '../period.js';
import { formatCents, PICO_USD_PER_CENT, roundToCents } from './cents.js';
import { chargesOf, unitOf, type Charge, type CustomerJournal, type UsageOf } from './charge.js';
import type {
  CorrectionLine,
  CreditLine,
  RefundLine,
  Statement,
  StatementLine,
} from './statement.js';

/** Listed one by one up to here (some 2 MB of document); what is beyond is one line per payer. */
const CORRECTIONS_MAX = 5_000;

interface Group {
  readonly head: Pick<
    StatementLine,
    'workspaceId' | 'model' | 'class' | 'unit' | 'payer' | 'unitPricePicoUsd' | 'lateFor'
  >;
  quantity: bigint;
  amount: bigint;
  from: string;
  to: string;
}

interface Corrected {
  readonly payer: Payer;
  readonly leafIndex: bigint;
  readonly effectiveAt: string;
  usage: UsageOf | undefined;
  author: string | undefined;
  reason: string | undefined;
  was: bigint;
  is: bigint;
}

/**
 * Gathers the journals of one organisation and month into a statement, in order of their ids; memory follows the lines,
 * not the journals. The same journals give the same statement, to the byte.
 */
export class StatementBuilder {
  readonly #groups = new Map<string, Group>();
  readonly #corrections: Corrected[] = [];
  readonly #beyond = new Map<Payer, Corrected & { count: number }>();
  readonly #credits: CreditLine[] = [];
  #pending: CustomerJournal[] = [];
  #journals = 0;
  readonly #sums = { receivable: 0n, prepaid: 0n };
  #bought = 0n;
  readonly #refunds: RefundLine[] = [];
  #refunded = 0n;

  constructor(
    private readonly organisationId: string,
    private readonly period: string,
  ) {}

  take(journal: CustomerJournal): void {
    this.#journals++;
    this.#sums[journal.payer] += journal.customerPicoUsd;
    // A leaf that corrects posts two journals, one after the other.
    if (this.#pending[0]?.leafIndex !== journal.leafIndex) this.#settlePending();
    this.#pending.push(journal);
  }

  /** What the journals taken so far add up to on an account: positive = charged. */
  sumOf(payer: Payer): bigint {
    return this.#sums[payer];
  }

  get journals(): number {
    return this.#journals;
  }

  /** `openingPicoUsd`: credit at hand when the month began. */
  finish(openingPicoUsd: bigint): Statement {
    this.#settlePending();
    const groups = [...this.#groups.values()].sort(byHead);
    const lines = groups.map(({ head, quantity, amount, from, to }, i): StatementLine => ({
      line: i + 1,
      ...head,
      quantity: quantity.toString(),
      ...inUsd(amount),
      effectiveFrom: from,
      effectiveTo: to,
    }));
    const corrections = [...this.#corrections, ...this.#beyond.values()].map((c, i) =>
      correctionLine(c, lines.length + i + 1),
    );
    const rounded = [...lines, ...corrections].filter((l) => l.payer === 'receivable');
    const payable = rounded.reduce(
      (sum, l) => sum + roundToCents(BigInt(l.amountPicoUsd)) * PICO_USD_PER_CENT,
      0n,
    );
    const exact = this.#sums.receivable;
    // Credit lowers the account by what was bought and raises it by what was given back; the rest of its change is use.
    const used = this.#sums.prepaid + this.#bought - this.#refunded;
    const given = this.#refunds.length > 0;
    return {
      format: 'custos-statement-v1',
      organisationId: this.organisationId,
      period: this.period,
      currency: 'USD',
      lines,
      corrections,
      credits: this.#credits,
      ...(given && { refunds: this.#refunds }),
      prepaid: {
        openingPicoUsd: openingPicoUsd.toString(),
        boughtPicoUsd: this.#bought.toString(),
        ...(given && { refundedPicoUsd: this.#refunded.toString() }),
        usedPicoUsd: used.toString(),
        closingPicoUsd: (openingPicoUsd - this.#sums.prepaid).toString(),
      },
      totals: {
        journals: this.#journals,
        roundedLines: rounded.length,
        exactPicoUsd: exact.toString(),
        payablePicoUsd: payable.toString(),
        payableUsd: formatCents(payable / PICO_USD_PER_CENT),
        roundingPicoUsd: (payable - exact).toString(),
      },
    };
  }

  #settlePending(): void {
    const journals = this.#pending;
    this.#pending = [];
    const [first] = journals;
    if (first === undefined) return;
    if (first.kind === 'credit') this.#addCredit(first);
    else if (first.kind === 'refund') this.#addRefund(first);
    else if (journals.every((j) => j.kind === 'usage')) for (const j of journals) this.#addUsage(j);
    else this.#addCorrection(first, journals);
  }

  #addCredit(journal: CustomerJournal): void {
    this.#bought -= journal.customerPicoUsd;
    this.#credits.push({
      leafIndex: journal.leafIndex.toString(),
      boughtAt: journal.effectiveAt,
      amountPicoUsd: (-journal.customerPicoUsd).toString(),
      feePicoUsd: (journal.feePicoUsd ?? 0n).toString(),
      author: journal.author ?? '',
      reference: journal.reason ?? '',
    });
  }

  #addRefund(journal: CustomerJournal): void {
    this.#refunded += journal.customerPicoUsd;
    this.#refunds.push({
      leafIndex: journal.leafIndex.toString(),
      refundedAt: journal.effectiveAt,
      amountPicoUsd: journal.customerPicoUsd.toString(),
      feePicoUsd: (journal.feePicoUsd ?? 0n).toString(),
      author: journal.author ?? '',
      approver: journal.approver ?? '',
      reason: journal.reason ?? '',
    });
  }

  #addUsage(journal: CustomerJournal): void {
    for (const charge of chargesOf(journal)) {
      const head = this.#headOf(journal, charge);
      const key = JSON.stringify(head);
      const group = this.#groups.get(key);
      const { effectiveAt } = journal;
      if (group === undefined) {
        const { tokens: quantity, amountPicoUsd: amount } = charge;
        this.#groups.set(key, { head, quantity, amount, from: effectiveAt, to: effectiveAt });
        continue;
      }
      group.quantity += charge.tokens;
      group.amount += charge.amountPicoUsd;
      if (effectiveAt < group.from) group.from = effectiveAt;
      if (effectiveAt > group.to) group.to = effectiveAt;
    }
  }

  #headOf({ usage, payer, effectiveAt }: CustomerJournal, { rated }: Charge): Group['head'] {
    const usedIn = monthOf(effectiveAt);
    return {
      workspaceId: usage?.workspaceId ?? '',
      model: usage?.model ?? '',
      class: rated?.class ?? 'adjusted',
      unit: rated === undefined ? 'Units' : unitOf(rated.class),
      payer,
      ...(rated !== undefined && { unitPricePicoUsd: rated.pricePicoUsdPerToken }),
      ...(usedIn !== this.period && { lateFor: usedIn }),
    };
  }

  #addCorrection(first: CustomerJournal, journals: readonly CustomerJournal[]): void {
    const { payer, leafIndex, effectiveAt } = first;
    let corrected: Corrected;
    if (this.#corrections.length < CORRECTIONS_MAX) {
      const { usage, author, reason } = first;
      corrected = { payer, leafIndex, effectiveAt, usage, author, reason, was: 0n, is: 0n };
      this.#corrections.push(corrected);
    } else corrected = this.#beyondOf(payer, leafIndex, effectiveAt);
    for (const { kind, customerPicoUsd: amount } of journals)
      if (kind === 'reversal') corrected.was -= amount;
      else corrected.is += amount;
  }

  #beyondOf(payer: Payer, leafIndex: bigint, effectiveAt: string): Corrected {
    const known = this.#beyond.get(payer);
    if (known !== undefined) {
      known.count++;
      known.reason = `${known.count} further corrections`;
      return known;
    }
    const reason = '1 further correction';
    const head = { payer, leafIndex, effectiveAt, usage: undefined, author: undefined, reason };
    const made = { ...head, was: 0n, is: 0n, count: 1 };
    this.#beyond.set(payer, made);
    return made;
  }
}

const inUsd = (amount: bigint): { amountPicoUsd: string; amountUsd: string } => ({
  amountPicoUsd: amount.toString(),
  amountUsd: formatCents(roundToCents(amount)),
});

const correctionLine = (c: Corrected, line: number): CorrectionLine => ({
  line,
  payer: c.payer,
  ...(c.usage !== undefined && {
    generationId: c.usage.generationId,
    leafIndex: c.leafIndex.toString(),
    workspaceId: c.usage.workspaceId,
    model: c.usage.model,
    effectiveAt: c.effectiveAt,
  }),
  ...(c.author !== undefined && { author: c.author }),
  // Nobody decides it: the writer's own close came after one on its behalf.
  reason: c.reason ?? 'a later record of how it ended',
  wasPicoUsd: c.was.toString(),
  isPicoUsd: c.is.toString(),
  ...inUsd(c.is - c.was),
});

const CLASSES = ['input', 'cache_read', 'cache_write', 'cache_write_1h', 'input_image'];
const MORE_CLASSES = ['input_audio', 'output', 'reasoning', 'output_image', 'output_audio'];
const ORDER = new Map([...CLASSES, ...MORE_CLASSES, 'request'].map((c, i) => [c, i]));
const rank = (tokenClass: string): number => ORDER.get(tokenClass) ?? ORDER.size;

function byHead({ head: a }: Group, { head: b }: Group): number {
  return (
    inOrder(a.payer, b.payer) ||
    inOrder(a.lateFor ?? '', b.lateFor ?? '') ||
    inOrder(a.workspaceId, b.workspaceId) ||
    inOrder(a.model, b.model) ||
    rank(a.class) - rank(b.class) ||
    inOrder(a.class, b.class) ||
    Number(BigInt(a.unitPricePicoUsd ?? -1) - BigInt(b.unitPricePicoUsd ?? -1))
  );
}

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

import { formatUsd } from '#libs/kernel';
import { csvLine } from '#libs/ledger';
import type { InvoiceDocument } from './invoice-document.js';

const COLUMNS = [
  'record',
  'line',
  'invoice',
  'status',
  'organisation',
  'period',
  'workspace',
  'model',
  'class',
  'unit',
  'payer',
  'quantity',
  'unit_price_usd',
  'amount_pico_usd',
  'amount_usd',
  'late_for',
  'effective_from',
  'effective_to',
  'generation',
  'leaf',
  'author',
  'reason',
] as const;
type Cells = Readonly<Partial<Record<(typeof COLUMNS)[number], string>>>;

/** The same document as lines of CSV: `line`, `correction`, `credit`, `credit_fee`, `refund`, `refund_fee`, and at the end the totals. */
export function* invoiceCsv({ statement, number, status }: InvoiceDocument): Generator<string> {
  const head: Cells = {
    ...(number !== undefined && { invoice: number }),
    status,
    organisation: statement.organisationId,
    period: statement.period,
  };
  const line = (cells: Cells): string => {
    const all: Cells = { ...head, ...cells };
    return csvLine(COLUMNS.map((c) => all[c]));
  };
  yield csvLine(COLUMNS);
  for (const l of statement.lines)
    yield line({
      record: 'line',
      line: String(l.line),
      workspace: l.workspaceId,
      model: l.model,
      class: l.class,
      unit: l.unit,
      payer: l.payer,
      quantity: l.quantity,
      ...(l.unitPricePicoUsd !== undefined && {
        unit_price_usd: formatUsd(BigInt(l.unitPricePicoUsd)),
      }),
      amount_pico_usd: l.amountPicoUsd,
      amount_usd: l.amountUsd,
      ...(l.lateFor !== undefined && { late_for: l.lateFor }),
      effective_from: l.effectiveFrom,
      effective_to: l.effectiveTo,
    });
  for (const c of statement.corrections)
    yield line({
      record: 'correction',
      line: String(c.line),
      ...(c.workspaceId !== undefined && { workspace: c.workspaceId }),
      ...(c.model !== undefined && { model: c.model }),
      payer: c.payer,
      amount_pico_usd: c.amountPicoUsd,
      amount_usd: c.amountUsd,
      ...(c.effectiveAt !== undefined && {
        effective_from: c.effectiveAt,
        effective_to: c.effectiveAt,
      }),
      ...(c.generationId !== undefined && { generation: c.generationId }),
      ...(c.leafIndex !== undefined && { leaf: c.leafIndex }),
      ...(c.author !== undefined && { author: c.author }),
      reason: c.reason,
    });
  for (const c of statement.credits)
    for (const [record, amount] of [
      ['credit', c.amountPicoUsd],
      ['credit_fee', c.feePicoUsd],
    ] as const)
      yield line({
        record,
        amount_pico_usd: amount,
        effective_from: c.boughtAt,
        effective_to: c.boughtAt,
        leaf: c.leafIndex,
        author: c.author,
        reason: c.reference,
      });
  for (const r of statement.refunds ?? [])
    for (const [record, amount] of [
      ['refund', r.amountPicoUsd],
      ['refund_fee', r.feePicoUsd],
    ] as const)
      yield line({
        record,
        amount_pico_usd: amount,
        effective_from: r.refundedAt,
        effective_to: r.refundedAt,
        leaf: r.leafIndex,
        author: `${r.author}, ${r.approver}`,
        reason: r.reason,
      });
  const { totals, prepaid } = statement;
  const total = (record: string, amount: string, usd?: string): string =>
    line({ record, amount_pico_usd: amount, ...(usd !== undefined && { amount_usd: usd }) });
  yield total('prepaid_opening', prepaid.openingPicoUsd);
  yield total('prepaid_bought', prepaid.boughtPicoUsd);
  if (prepaid.refundedPicoUsd !== undefined)
    yield total('prepaid_refunded', prepaid.refundedPicoUsd);
  yield total('prepaid_used', prepaid.usedPicoUsd);
  yield total('prepaid_closing', prepaid.closingPicoUsd);
  yield total('exact', totals.exactPicoUsd);
  yield total('rounding', totals.roundingPicoUsd);
  yield total('payable', totals.payablePicoUsd, totals.payableUsd);
}

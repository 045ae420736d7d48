import { formatUsd } from '#libs/kernel';
import type { CorrectionLine, StatementLine } from '#libs/ledger';
import { HOW_TO_VERIFY, type InvoiceDocument } from './invoice-document.js';
import { CONTENT_WIDTH, PdfSheet, type Column } from './pdf-sheet.js';

const LINES: readonly Column[] = columns(
  ['No.', 28],
  ['Workspace', 96],
  ['Model', 138],
  ['Class', 76],
  ['Quantity', 64, 'right'],
  ['USD per 1M', 62, 'right'],
  ['USD', 51, 'right'],
);
const CORRECTIONS: readonly Column[] = columns(
  ['No.', 28],
  ['Generation', 172],
  ['Used', 74],
  ['By', 54],
  ['Reason', 139],
  ['USD', 48, 'right'],
);
const CREDITS: readonly Column[] = columns(
  ['Bought', 92],
  ['Reference', 160],
  ['By', 100],
  ['Credit, USD', 82, 'right'],
  ['Fee, USD', 81, 'right'],
);

const REFUNDS: readonly Column[] = columns(
  ['Given back', 92],
  ['Reason', 160],
  ['By', 100],
  ['Credit, USD', 82, 'right'],
  ['Fee, USD', 81, 'right'],
);

/** A stream of the document as a person reads it. */
export function invoicePdf(document: InvoiceDocument, madeAt: Date): PDFKit.PDFDocument {
  const { statement, number, status, evidence, digest } = document;
  const issuedAt = document.issuedAt === undefined ? madeAt : new Date(document.issuedAt);
  const title = number === undefined ? 'Running statement' : 'Invoice';
  const sheet = new PdfSheet({
    title: `${title} ${number ?? statement.period}`,
    author: document.issuer.split('\n')[0]!,
    createdAt: issuedAt,
  });
  sheet.title(title, number === undefined ? NOT_FINAL[status] : `No. ${number}`);
  const [from, to] = daysOf(statement.period);
  const { organisation } = document;
  sheet.blocks([
    { heading: 'FROM', lines: document.issuer.split('\n') },
    { heading: 'TO', lines: [...(organisation.name ? [organisation.name] : []), organisation.id] },
    {
      heading: 'DETAILS',
      lines: [
        `Period: ${from} to ${to} (UTC)`,
        `${number === undefined ? 'As of' : 'Issued'}: ${issuedAt.toISOString().slice(0, 10)}`,
        `Currency: USD`,
        `To be paid: USD ${statement.totals.payableUsd}`,
      ],
    },
  ]);
  lineTables(sheet, document);
  if (statement.corrections.length > 0) {
    sheet.heading('Corrections');
    sheet.table(CORRECTIONS, statement.corrections.map(correctionCells));
  }
  if (statement.credits.length > 0) {
    sheet.heading('Credit bought (paid at purchase)');
    sheet.table(
      CREDITS,
      statement.credits.map((c) => [
        c.boughtAt.slice(0, 16).replace('T', ' '),
        c.reference,
        c.author,
        usd(c.amountPicoUsd),
        usd(c.feePicoUsd),
      ]),
    );
  }
  if (statement.refunds !== undefined) {
    sheet.heading('Credit given back (paid out)');
    sheet.table(
      REFUNDS,
      statement.refunds.map((r) => [
        r.refundedAt.slice(0, 16).replace('T', ' '),
        r.reason,
        `${r.author}, ${r.approver}`,
        usd(r.amountPicoUsd),
        usd(r.feePicoUsd),
      ]),
    );
  }
  if (isPrepaid(document)) {
    const { prepaid } = statement;
    const refunded = prepaid.refundedPicoUsd;
    sheet.heading('Credit at hand');
    sheet.sums([
      ['At the beginning of the month', `USD ${usd(prepaid.openingPicoUsd)}`],
      ['Bought', `USD ${usd(prepaid.boughtPicoUsd)}`],
      ...(refunded === undefined ? [] : [['Given back', `USD ${usd(-BigInt(refunded))}`] as const]),
      ['Used', `USD ${usd(-BigInt(prepaid.usedPicoUsd))}`],
      ['At the end', `USD ${usd(prepaid.closingPicoUsd)}`],
    ]);
  }
  sheet.heading('Total');
  sheet.sums([
    ['On account, exact', `USD ${usd(statement.totals.exactPicoUsd)}`],
    ['Rounding of lines to cents', `USD ${usd(statement.totals.roundingPicoUsd)}`],
    ['To be paid', `USD ${statement.totals.payableUsd}`],
  ]);
  sheet.heading('What this rests on, and how to check it');
  sheet.paragraph(
    [
      `Log ${evidence.origin}, tree of ${evidence.size} records, root ${evidence.root}.`,
      `${statement.totals.journals} journals. Statement sha-256: ${digest.replace('sha256:', '')}.`,
      evidence.leafIndex === undefined ? '' : `Issued by record ${evidence.leafIndex} of the log.`,
      `Verifier key: ${evidence.verifierKey}`,
      HOW_TO_VERIFY.join(' '),
    ]
      .filter((line) => line !== '')
      .join('\n'),
  );
  return sheet.end(`${title} ${number ?? statement.period} · ${organisation.id}`);
}

const NOT_FINAL = {
  issued: '',
  closed: 'The month is closed; its invoice has not been issued.',
  running: 'Not an invoice: the month is not closed.',
} as const;

function lineTables(sheet: PdfSheet, { statement, workspaces }: InvoiceDocument): void {
  const groups = Map.groupBy(statement.lines, (l) => `${l.payer} ${l.lateFor ?? ''}`);
  if (groups.size === 0) sheet.paragraph('Nothing was used in this month.', 9);
  for (const lines of groups.values()) {
    const [{ payer, lateFor }] = lines as [StatementLine];
    const how = payer === 'prepaid' ? 'paid in advance' : 'on account';
    sheet.heading(
      lateFor === undefined
        ? `Usage ${how}`
        : `Usage ${how}, of ${lateFor}: its records came after that month had closed`,
    );
    sheet.table(
      LINES,
      lines.map((l) => lineCells(l, workspaces)),
    );
  }
}

const lineCells = (l: StatementLine, workspaces: InvoiceDocument['workspaces']): string[] => [
  String(l.line),
  workspaces[l.workspaceId] ?? l.workspaceId,
  l.model,
  l.class.replaceAll('_', ' '),
  Number(l.quantity).toLocaleString('en-US'),
  l.unitPricePicoUsd === undefined ? '' : usd(BigInt(l.unitPricePicoUsd) * 1_000_000n),
  l.amountUsd,
];

const correctionCells = (c: CorrectionLine): string[] => [
  String(c.line),
  c.generationId ?? '',
  c.effectiveAt?.slice(0, 16).replace('T', ' ') ?? '',
  c.author ?? '',
  c.reason,
  c.amountUsd,
];

const isPrepaid = ({ statement: { prepaid, credits } }: InvoiceDocument): boolean =>
  credits.length > 0 || Object.values(prepaid).some((amount) => amount !== '0');

/** Exact, with two decimals at least. */
function usd(picoUsd: string | bigint): string {
  const [whole, fraction = ''] = formatUsd(BigInt(picoUsd)).split('.');
  return `${whole}.${fraction.padEnd(2, '0')}`;
}

/** First and last day of a month. */
function daysOf(period: string): readonly [string, string] {
  const [year, month] = period.split('-').map(Number);
  const last = new Date(Date.UTC(year!, month!, 0)).toISOString().slice(0, 10);
  return [`${period}-01`, last];
}

function columns(...of: readonly (readonly [string, number, 'right'?])[]): readonly Column[] {
  const total = of.reduce((sum, [, width]) => sum + width, 0);
  return of.map(([title, width, align]) => ({
    title,
    width: (width * CONTENT_WIDTH) / total,
    ...(align !== undefined && { align }),
  }));
}

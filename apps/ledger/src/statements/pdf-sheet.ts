import PDFDocument from 'pdfkit';

export const MARGIN = 40;
const A4 = { width: 595.28, height: 841.89 };
export const CONTENT_WIDTH = A4.width - 2 * MARGIN;
/** Room for the line at the foot of every page. */
const FOOT = 30;
const FONT = 'Helvetica';
const BOLD = 'Helvetica-Bold';
const INK = '#1a1a1a';
const FAINT = '#666666';
const RULE = '#bbbbbb';
const SHADE = '#f2f2f2';
const ROW_HEIGHT = 14;
const TABLE_SIZE = 8;

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: 'left' | 'right';
}

/** Pages with the fonts that every reader has, so that nothing is embedded: text beyond Western Europe shows as `?`. */
export class PdfSheet {
  readonly doc: PDFKit.PDFDocument;

  constructor(info: { readonly title: string; readonly author: string; readonly createdAt: Date }) {
    this.doc = new PDFDocument({
      size: 'A4',
      margins: { top: MARGIN, bottom: MARGIN, left: MARGIN, right: MARGIN },
      bufferPages: true,
      info: { Title: plain(info.title), Author: plain(info.author), CreationDate: info.createdAt },
    });
    this.doc.fillColor(INK);
  }

  get #bottom(): number {
    return A4.height - MARGIN - FOOT;
  }

  title(text: string, aside: string): void {
    this.doc.font(BOLD).fontSize(20).text(plain(text), MARGIN, MARGIN);
    this.doc.font(FONT).fontSize(9).fillColor(FAINT);
    this.doc.text(plain(aside), MARGIN, MARGIN + 6, { width: CONTENT_WIDTH, align: 'right' });
    this.doc.fillColor(INK);
    this.doc.y = MARGIN + 36;
  }

  /** Blocks side by side, each with a small heading. */
  blocks(blocks: readonly { readonly heading: string; readonly lines: readonly string[] }[]): void {
    const top = this.doc.y;
    const width = CONTENT_WIDTH / blocks.length;
    let lowest = top;
    for (const [i, { heading, lines }] of blocks.entries()) {
      const x = MARGIN + i * width;
      this.doc.font(BOLD).fontSize(8).fillColor(FAINT).text(plain(heading), x, top);
      this.doc.font(FONT).fontSize(9).fillColor(INK);
      this.doc.text(plain(lines.join('\n')), x, this.doc.y + 2, { width: width - 12 });
      lowest = Math.max(lowest, this.doc.y);
    }
    this.doc.y = lowest + 14;
  }

  heading(text: string): void {
    this.#room(ROW_HEIGHT * 4);
    this.doc.font(BOLD).fontSize(10).text(plain(text), MARGIN, this.doc.y);
    this.doc.y += 4;
  }

  paragraph(text: string, size = 8): void {
    this.doc.font(FONT).fontSize(size);
    this.#room(this.doc.heightOfString(plain(text), { width: CONTENT_WIDTH }) + 6);
    this.doc.text(plain(text), MARGIN, this.doc.y, { width: CONTENT_WIDTH });
    this.doc.y += 6;
  }

  /** Over as many pages as it takes; each begins with the titles again. */
  table(columns: readonly Column[], rows: Iterable<readonly string[]>): void {
    this.#room(ROW_HEIGHT * 3);
    this.#titles(columns);
    for (const row of rows) {
      if (this.doc.y + ROW_HEIGHT > this.#bottom) {
        this.doc.addPage();
        this.#titles(columns);
      }
      this.#row(columns, row, FONT);
    }
    this.doc.y += 12;
  }

  /** Two columns at the right edge; the last line stands out. */
  sums(rows: readonly (readonly [string, string])[]): void {
    this.#room((rows.length + 1) * (ROW_HEIGHT + 2));
    const [label, amount] = [220, 110];
    const x = MARGIN + CONTENT_WIDTH - label - amount;
    for (const [i, [name, value]] of rows.entries()) {
      const last = i === rows.length - 1;
      const { y } = this.doc;
      if (last) this.doc.rect(x, y, label + amount, ROW_HEIGHT + 4).fill(SHADE);
      this.doc
        .font(last ? BOLD : FONT)
        .fontSize(last ? 10 : 9)
        .fillColor(INK);
      this.#cell(name, x + 4, y + 4, label - 8, 'left');
      this.#cell(value, x + label, y + 4, amount - 4, 'right');
      this.doc.y = y + ROW_HEIGHT + (last ? 4 : 0);
    }
    this.doc.y += 14;
  }

  /** Page numbers and the same line on every page; nothing can be added afterwards. */
  end(foot: string): PDFKit.PDFDocument {
    const { start, count } = this.doc.bufferedPageRange();
    for (let i = 0; i < count; i++) {
      this.doc.switchToPage(start + i);
      // Text below the margin would begin a page of its own.
      this.doc.page.margins.bottom = 0;
      this.doc.font(FONT).fontSize(7).fillColor(FAINT);
      const y = A4.height - MARGIN - 8;
      this.#cell(foot, MARGIN, y, CONTENT_WIDTH - 80, 'left');
      this.#cell(`Page ${i + 1} of ${count}`, MARGIN + CONTENT_WIDTH - 80, y, 80, 'right');
    }
    this.doc.end();
    return this.doc;
  }

  #titles(columns: readonly Column[]): void {
    const { y } = this.doc;
    this.doc.rect(MARGIN, y, CONTENT_WIDTH, ROW_HEIGHT).fill(SHADE).fillColor(INK);
    this.#row(
      columns,
      columns.map((c) => c.title),
      BOLD,
    );
  }

  #row(columns: readonly Column[], row: readonly string[], font: string): void {
    const { y } = this.doc;
    this.doc.font(font).fontSize(TABLE_SIZE);
    let x = MARGIN;
    for (const [i, { width, align }] of columns.entries()) {
      this.#cell(row[i] ?? '', x + 3, y + 3.5, width - 6, align ?? 'left');
      x += width;
    }
    const line = y + ROW_HEIGHT;
    this.doc.moveTo(MARGIN, line).lineTo(MARGIN + CONTENT_WIDTH, line);
    this.doc.lineWidth(0.3).strokeColor(RULE).stroke();
    this.doc.y = line;
  }

  /** One line; what does not fit ends in an ellipsis. */
  #cell(text: string, x: number, y: number, width: number, align: 'left' | 'right'): void {
    const fitted = this.#fitted(plain(text), width);
    this.doc.text(fitted, x, y, { width, align, lineBreak: false });
  }

  #fitted(text: string, width: number): string {
    if (this.doc.widthOfString(text) <= width) return text;
    let [fits, tooLong] = [0, text.length];
    while (tooLong - fits > 1) {
      const middle = Math.floor((fits + tooLong) / 2);
      if (this.doc.widthOfString(`${text.slice(0, middle)}…`) <= width) fits = middle;
      else tooLong = middle;
    }
    return `${text.slice(0, fits)}…`;
  }

  #room(height: number): void {
    if (this.doc.y + height > this.#bottom) this.doc.addPage();
  }
}

/** What the standard fonts can write (Windows-1252); line breaks stay. */
const plain = (text: string): string =>
  text.replaceAll(/[^\n\u0020-\u007e\u00a0-\u00ff€…–—‘’“”•]/gu, '?');

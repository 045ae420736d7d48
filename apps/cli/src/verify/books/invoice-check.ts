import type { InvoiceIssued } from '#libs/audit-events';
import {
  StatementBuilder,
  type CustomerJournal,
  type GenerationState,
  type Journal,
  type Settlement,
} from '#libs/ledger';
import { CompactRange, readerOfTiles, tilePath, type TreeNode } from '#libs/transparency';
import type { Findings } from '../report.js';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';

/** What a journal is about, as far as the lines of a statement need it. */
export interface JournalContext {
  readonly generation?: GenerationState;
  readonly attempts: Settlement['attempts'];
}

interface Issued {
  readonly leaf: number;
  readonly said: InvoiceIssued;
  readonly lines: number;
  readonly payablePicoUsd: string;
  readonly corrections: number;
}

const CUSTOMER = /^customer:(.+):(receivable|prepaid)$/;
/** Of more the statement makes one line, and which ones those are depends on the order of the leaves. */
const CORRECTIONS_MAX = 5_000;

/**
 * Makes the sums of each issued invoice again, from the journals of its month that follow from the leaves. Memory follows
 * the lines of the months that have no invoice yet.
 */
export class InvoiceCheck {
  readonly #open = new Map<string, StatementBuilder>();
  readonly #issued: Issued[] = [];
  /** The one of each organisation and month. */
  readonly #taken = new Map<string, InvoiceIssued>();
  #checked = 0;

  constructor(
    private readonly source: ExportSource,
    private readonly findings: Findings,
  ) {}

  get checked(): number {
    return this.#checked;
  }

  /** A journal that follows from its leaf and was handed over so. In order of ids within a leaf. */
  take(journal: Journal, context: JournalContext | undefined): void {
    if (journal.kind === 'rounding') return;
    for (const { account, amountPicoUsd } of journal.postings) {
      const [, organisationId, payer] = CUSTOMER.exec(account) ?? [];
      if (organisationId === undefined || (payer !== 'receivable' && payer !== 'prepaid')) continue;
      const { id, leafIndex, kind, effectiveAt, period, author, reason } = journal;
      const key = nameOf(organisationId, period);
      const builder = this.#open.get(key) ?? new StatementBuilder(organisationId, period);
      this.#open.set(key, builder);
      const usage = context && usageOf(context);
      builder.take({
        id,
        leafIndex,
        kind,
        organisationId,
        payer,
        effectiveAt,
        period,
        customerPicoUsd: BigInt(amountPicoUsd),
        ...(author !== undefined && { author }),
        ...(reason !== undefined && { reason }),
        ...(usage !== undefined && { usage }),
      });
    }
  }

  /** An invoice that the books took. `wholeMonth`: nothing of its month can stand before the leaves at hand. */
  issued(leaf: number, said: InvoiceIssued, wholeMonth: boolean): void {
    const { organisationId, period, number, exactPicoUsd } = said;
    const key = nameOf(organisationId, period);
    const builder = this.#open.get(key) ?? new StatementBuilder(organisationId, period);
    this.#open.delete(key);
    this.#taken.set(key, said);
    if (!wholeMonth) {
      this.findings.notCovered('invoices: journals of their months may stand before these leaves');
      return;
    }
    this.#checked += 1;
    const { totals, corrections } = builder.finish(0n);
    if (totals.exactPicoUsd !== exactPicoUsd)
      this.#fault(
        leaf,
        `invoice ${number} asks for ${exactPicoUsd} pico-USD, and the journals of ${period} make ${totals.exactPicoUsd}`,
      );
    const { roundedLines: lines, payablePicoUsd } = totals;
    this.#issued.push({ leaf, said, lines, payablePicoUsd, corrections: corrections.length });
  }

  /** One without effect on the books: its customer was asked all the same. */
  notTaken(leaf: number, said: InvoiceIssued): void {
    const { number, organisationId, period, exactPicoUsd, payablePicoUsd } = said;
    const asks = `invoice ${number} asks for ${payablePicoUsd} pico-USD`;
    const first = this.#taken.get(nameOf(organisationId, period));
    if (first === undefined)
      this.#fault(
        leaf,
        `${asks}, which the books do not take: no whole cents, or rounded by more than half a cent a line`,
      );
    else if (first.payablePicoUsd !== payablePicoUsd || first.exactPicoUsd !== exactPicoUsd)
      this.#fault(leaf, `${asks}, and ${first.number} had asked for ${first.payablePicoUsd}`);
    else
      this.findings.note(
        `leaf ${leaf}: invoice ${number} says again what ${first.number} had said`,
      );
  }

  /** `size`: of the tree whose tiles were proved. */
  async finish(size: number): Promise<void> {
    for (const issued of this.#issued) await this.#checkRounding(issued, size);
    if (this.#checked > 0)
      this.findings.notCovered('documents of invoices: known by a digest, and not handed over');
  }

  /** Lines follow from the order of the leaves, and so are those of the tree that the invoice cites. */
  async #checkRounding(issued: Issued, treeSize: number): Promise<void> {
    const { leaf, said, lines, payablePicoUsd, corrections } = issued;
    const { number, size, root } = said;
    const cited = Number(size);
    const here = cited <= leaf && cited <= treeSize && (await this.#rootAt(cited, treeSize));
    if (here !== root.replace('sha256:', '')) {
      this.findings.notCovered(
        `rounding of invoice ${number} (${BigInt(said.payablePicoUsd) - BigInt(said.exactPicoUsd)} pico-USD over ${said.lines} lines): it cites another tree than this one`,
      );
      return;
    }
    if (corrections > CORRECTIONS_MAX) {
      this.findings.notCovered(`rounding of invoice ${number}: more corrections than are listed`);
      return;
    }
    if (said.lines !== lines)
      this.#fault(leaf, `invoice ${number} rounds ${said.lines} lines, and its month has ${lines}`);
    else if (said.payablePicoUsd !== payablePicoUsd)
      this.#fault(
        leaf,
        `invoice ${number} is payable with ${said.payablePicoUsd} pico-USD, and its lines make ${payablePicoUsd}`,
      );
  }

  /** From tiles that were proved. Hex; undefined where some are not there. */
  async #rootAt(size: number, treeSize: number): Promise<string | undefined> {
    const nodes: TreeNode[] = [];
    let start = 0n;
    for (let level = 62; level >= 0; level--) {
      if (((BigInt(size) >> BigInt(level)) & 1n) === 0n) continue;
      nodes.push({ level, index: start >> BigInt(level) });
      start += 1n << BigInt(level);
    }
    const read = readerOfTiles(BigInt(treeSize), async (tile) => {
      const bytes = await this.source.read(tilePath(tile), FILE_BYTES_MAX.tile);
      if (bytes === undefined) throw new RangeError(`${tilePath(tile)} is missing`);
      return bytes;
    });
    try {
      return new CompactRange(BigInt(size), await read(nodes)).root().toString('hex');
    } catch {
      // Missing or misshapen tiles were reported when the log was walked.
      return undefined;
    }
  }

  #fault(leaf: number, message: string): void {
    this.findings.fault('altered', { leafIndex: leaf.toString() }, message);
  }
}

const nameOf = (organisationId: string, period: string): string => `${period}/${organisationId}`;

function usageOf({ generation, attempts }: JournalContext): CustomerJournal['usage'] {
  const opening = generation?.opening;
  if (generation === undefined || opening === undefined) return undefined;
  const { workspaceId, keyId, model } = opening;
  return { generationId: generation.id, workspaceId, keyId, model, attempts, regions: new Map() };
}

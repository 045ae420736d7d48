import type { ReadAgain, WalkedLog } from '../log/open-log.js';
import { walkLog } from '../log/walk-log.js';
import { sourceOf, type Mode } from '../mode.js';
import type { Findings } from '../report.js';
import type { ExportSource } from '../source/export-source.js';
import { MANIFEST } from '../source/manifest.js';
import { jsonLines, type JsonLine } from '../source/json-lines.js';
import { Balances } from './balances.js';
import { BooksAgain } from './books-again.js';
import { InvoiceCheck, type JournalContext } from './invoice-check.js';
import { journalRecord, type JournalRecord } from './journal-record.js';
import { JournalMatch } from './match-journals.js';
import { PriceBookShelf } from './price-books.js';
import { RefundCheck } from './refund-check.js';

const JOURNALS = 'ledger/journals.jsonl';
const BOOKS = 'price-books/';
/** Lines beyond those that the manifest counts that are still looked at. What has no end must not be read for ever. */
const JOURNALS_TOO_MANY = 10_000;
/** Where nobody counts them. */
const JOURNALS_MAX = 1_000_000_000;

/** Every amount again from proved entries and price books, against the journals and balances that were handed over. */
export const LEDGER: Mode = {
  inputs: { min: 1, max: 1 },
  needsKey: true,
  run: async (options, findings) => {
    const source = await sourceOf(options);
    const audit = new LedgerAudit(source, findings);
    const walked = await walkLog({
      source,
      key: options.key,
      findings,
      whole: options.whole,
      begin: (range, entryAgain) => audit.begin(range, entryAgain),
      take: (leaf, bytes) => audit.take(leaf, bytes),
    });
    if (walked && !walked.entriesRead)
      findings.fault('incomplete', {}, 'the entries are needed and were not handed over');
    if (walked) await audit.finish(walked);
  },
};

class LedgerAudit {
  readonly #match: JournalMatch;
  readonly #balances: Balances;
  readonly #shelf: PriceBookShelf;
  readonly #books: BooksAgain;
  readonly #invoices: InvoiceCheck;
  readonly #refunds: RefundCheck;
  /** Of journals that wait for the one that was handed over. */
  readonly #contexts = new Map<bigint, JournalContext>();
  #journals: JournalsInOrder | undefined;
  #entryAgain: ReadAgain | undefined;
  #firstLeaf = 0;
  #size = 0;
  #journalsMax = JOURNALS_MAX;
  #read = 0;

  constructor(
    private readonly source: ExportSource,
    private readonly findings: Findings,
  ) {
    this.#invoices = new InvoiceCheck(source, findings);
    this.#refunds = new RefundCheck(findings);
    this.#match = new JournalMatch(
      findings,
      JOURNALS,
      () => this.#firstLeaf > 0,
      (journal) => {
        this.#invoices.take(journal, this.#contexts.get(journal.id));
        this.#contexts.delete(journal.id);
      },
    );
    this.#balances = new Balances(source, findings);
    this.#shelf = new PriceBookShelf(source, BOOKS, findings);
    this.#books = new BooksAgain(this.#shelf, async (leaf) => this.#entryAgain?.(leaf));
  }

  begin({ firstLeaf, head, manifest }: WalkedLog, entryAgain: ReadAgain): void {
    if (manifest) this.#journalsMax = manifest.journals + JOURNALS_TOO_MANY;
    this.#entryAgain = entryAgain;
    this.#firstLeaf = firstLeaf;
    this.#size = head.size;
  }

  async take(leaf: number, bytes: Buffer): Promise<void> {
    // Read along with the leaves, so that neither has to be in memory as a whole.
    await this.#readJournals(leaf);
    const { journals, contextOf, invoice, credit } = await this.#books.take(leaf, bytes);
    for (const journal of journals) {
      if (contextOf) this.#contexts.set(journal.id, contextOf(journal));
      if (!this.#match.expect(journal)) this.#contexts.delete(journal.id);
    }
    if (credit) this.#refunds.take(leaf, credit);
    if (invoice?.taken) this.#invoices.issued(leaf, invoice.said, this.#firstLeaf === 0);
    else if (invoice) this.#invoices.notTaken(leaf, invoice.said);
  }

  async finish(walked: WalkedLog): Promise<void> {
    const { findings } = this;
    const { manifest } = walked;
    await this.#readJournals(Infinity);
    this.#match.finish((journal) => this.#excuse(journal));
    if (manifest && manifest.journals !== this.#read)
      findings.fault(
        manifest.journals > this.#read ? 'removed' : 'altered',
        { file: JOURNALS },
        `${this.#read} journals, where ${MANIFEST} counts ${manifest.journals}`,
      );
    for (const { version } of manifest?.priceBooks ?? []) await this.#shelf.load(version);
    await this.#checkBalances();
    await this.#invoices.finish(this.#size);
    this.#refunds.finish(this.#firstLeaf === 0);
    findings.notCovered('when journals were written down (recordedAt): the ledger’s own word');
    Object.assign(findings.checked, {
      generations: this.#books.generations,
      journals: this.#match.matched,
      ...(this.#invoices.checked > 0 && { invoices: this.#invoices.checked }),
      ...(this.#refunds.checked > 0 && { refunds: this.#refunds.checked }),
    });
  }

  /** What depends on leaves that are not here is not judged. */
  #excuse(journal: JournalRecord): string | undefined {
    const { generationId = '', leafIndex, said } = journal;
    // The missing price book has been reported.
    if (this.#books.awaitsPrices(generationId))
      return 'amounts of generations without a price book';
    if (!this.#books.isCause(generationId, Number(leafIndex))) return undefined;
    // Also at the end of a whole log: books are read after the checkpoint that they are exported under.
    if (this.#books.lacksBeginning(generationId))
      return 'amounts of generations that were opened outside these leaves';
    const reverses = said['reverses'];
    if (typeof reverses === 'string' && BigInt(reverses) / 2n < BigInt(this.#firstLeaf))
      return 'reversals of journals before these leaves';
    return undefined;
  }

  async #readJournals(leaf: number): Promise<void> {
    this.#journals ??= await JournalsInOrder.open(this.source, this.findings, this.#journalsMax);
    // Called for every leaf: nothing is awaited where nothing is to be read.
    while (this.#journals.nextLeaf <= leaf) {
      const journal = this.#journals.next;
      if (journal) {
        this.#read += 1;
        this.#match.find(journal);
        this.#balances.post(journal);
      }
      await this.#journals.advance();
    }
  }

  async #checkBalances(): Promise<void> {
    await this.#balances.open(this.#firstLeaf === 0);
    await this.#balances.close();
    if (this.#firstLeaf > 0)
      this.findings.notCovered('opening balances: they follow from leaves before these');
  }
}

/** One journal ahead of the reader. */
class JournalsInOrder {
  next: JournalRecord | undefined;
  nextLeaf = -Infinity;

  private constructor(
    private readonly lines: AsyncIterator<JsonLine> | undefined,
    private readonly findings: Findings,
  ) {}

  static async open(
    source: ExportSource,
    findings: Findings,
    max: number,
  ): Promise<JournalsInOrder> {
    const parts = await source.stream(JOURNALS);
    if (parts === undefined) findings.fault('incomplete', { file: JOURNALS }, 'it is missing');
    const journals = new JournalsInOrder(parts && jsonLines(parts, JOURNALS, max), findings);
    await journals.advance();
    return journals;
  }

  async advance(): Promise<void> {
    for (;;) {
      const read = await this.lines?.next();
      if (!read || read.done) {
        this.next = undefined;
        this.nextLeaf = NaN;
        return;
      }
      this.next = journalRecord(read.value.value);
      this.nextLeaf = Number(this.next?.leafIndex);
      if (this.next) return;
      this.findings.fault('altered', { file: JOURNALS, line: read.value.line }, 'not a journal');
    }
  }
}

import { createHash } from 'node:crypto';
import type { Prices } from '#libs/ledger';
import { FILE_BYTES_MAX, type ExportSource } from '../source/export-source.js';
import type { Findings } from '../report.js';
// The one door from here to the catalog (.dependency-cruiser.cjs): the pure reader of a price book's bytes, and nothing
// that it does not need. A second reader of the same format would say something else one day.
import { parsePriceBook } from '../../../../../libs/catalog/src/price-book.js';

/** A book of a few thousand endpoints is some megabytes when parsed; a period has a handful of versions. */
const KEPT_MAX = 32;
const VERSION = /^sha256:([0-9a-f]{64})$/;

/** Price books as an export holds them, by the version that records cite: the digest of the very bytes. */
export class PriceBookShelf {
  readonly #books = new Map<string, Prices | undefined>();
  /** Reported once each. A book that was sound may be read again, and need not be the same then. */
  readonly #blamed = new Set<string>();

  constructor(
    private readonly source: ExportSource,
    /** Where books lie inside the source. */
    private readonly folder: string,
    private readonly findings: Findings,
  ) {}

  readonly pricesOf = (version: string): Prices | undefined => this.#books.get(version);

  /** Brings a version within reach of `pricesOf`. A book that is not there, or not the one cited, is a fault (once). */
  async load(version: string): Promise<void> {
    if (this.#books.has(version)) return;
    const book = await this.#read(version);
    if (this.#books.size >= KEPT_MAX)
      for (const oldest of this.#books.keys()) {
        this.#books.delete(oldest);
        break;
      }
    this.#books.set(version, book);
  }

  async #read(version: string): Promise<Prices | undefined> {
    const hex = VERSION.exec(version)?.[1];
    const blame = (reason: 'altered' | 'incomplete', file: string, message: string): undefined => {
      if (this.#blamed.has(version)) return undefined;
      this.#blamed.add(version);
      this.findings.fault(reason, { file }, message);
      return undefined;
    };
    if (hex === undefined)
      return blame('incomplete', this.folder, `${version} names no price book`);
    const file = `${this.folder}${hex}.book`;
    const bytes = await this.source.read(file, FILE_BYTES_MAX.priceBook);
    if (bytes === undefined) return blame('incomplete', file, 'records cite it, and it is missing');
    if (createHash('sha256').update(bytes).digest('hex') !== hex)
      return blame('altered', file, 'its bytes do not have the digest that records cite');
    try {
      return parsePriceBook(bytes);
    } catch (error) {
      return blame('altered', file, error instanceof Error ? error.message : 'not a price book');
    }
  }
}

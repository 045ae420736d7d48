import { parsePriceBook, type PriceBook } from '#libs/catalog';
import type { PriceBooks } from '#libs/ledger-store';

/** Price books read from the ledger's tables, parsed once. A few versions live at a time; each is some 300 KB. */
export class PricedBooks {
  readonly #parsed = new Map<string, PriceBook>();

  constructor(private readonly stored: PriceBooks) {}

  async load(versions: ReadonlySet<string>): Promise<void> {
    for (const version of versions) {
      if (this.#parsed.has(version)) continue;
      const bytes = await this.stored.bytesOf(version);
      if (bytes !== undefined) this.#parsed.set(version, parsePriceBook(bytes));
    }
  }

  pricesOf(version: string): PriceBook | undefined {
    return this.#parsed.get(version);
  }
}

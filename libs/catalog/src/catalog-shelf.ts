import { filesOfText } from './canonical-catalog.js';
import { CatalogError } from './errors.js';
import { loadCatalog } from './load-catalog.js';
import type { Catalog } from './types.js';

/** Catalogs of the past in memory at a time, some 10 MB each: a period is read in order and has few at any moment. */
const HELD_MAX = 3;
/** Versions remembered as never kept; a digest each. */
const ABSENT_MAX = 1_000;

export interface CatalogShelfOptions {
  readonly atHand: Catalog;
  /** The text that was kept under this version, or undefined: see `catalogText`. */
  readonly kept: (version: string) => Promise<string | Uint8Array | undefined>;
  /** Told of a catalog that goes out of memory: whoever holds its endpoints lets go of them as well. */
  readonly letGo?: (version: string) => void;
}

/** Catalogs by version: the one at hand, and those of the past that were kept, a few of them in memory. */
export class CatalogShelf {
  readonly atHand: Catalog;
  readonly #held = new Map<string, Catalog>();
  readonly #absent = new Set<string>();

  constructor(private readonly options: CatalogShelfOptions) {
    this.atHand = options.atHand;
  }

  /**
   * Undefined where it was never kept. Rejects with CatalogError `catalog-invalid` where what is kept is not what its
   * version says: a catalog that somebody changed decides nothing.
   */
  async of(version: string): Promise<Catalog | undefined> {
    if (version === this.atHand.version) return this.atHand;
    const catalog = this.#held.get(version) ?? (await this.#load(version));
    if (catalog === undefined) return undefined;
    this.#held.delete(version);
    this.#held.set(version, catalog);
    if (this.#held.size > HELD_MAX)
      for (const longest of this.#held.keys()) {
        this.#held.delete(longest);
        this.options.letGo?.(longest);
        break;
      }
    return catalog;
  }

  async #load(version: string): Promise<Catalog | undefined> {
    if (this.#absent.has(version)) return undefined;
    const text = await this.options.kept(version);
    if (text === undefined) {
      if (this.#absent.size < ABSENT_MAX) this.#absent.add(version);
      return undefined;
    }
    const catalog = loadCatalog(filesOfText(version, text));
    if (catalog.version === version) return catalog;
    throw new CatalogError(
      'catalog-invalid',
      `catalog ${version} reads as ${catalog.version} in this version of the software`,
    );
  }
}

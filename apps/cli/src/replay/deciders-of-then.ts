import { CatalogShelf, type Catalog } from '#libs/catalog';
import type { Decider, RecordedDecision } from '#libs/policy';
import { watchedDecider } from '../policy/watched-decider.js';
import type { ThePast } from './the-past.js';

/** Deciders kept: a bundle is parsed in tens of milliseconds, and a period has few of them. */
const DECIDERS_MAX = 8;

/** Bundles over catalogs, as decisions of the past name both. */
export class DecidersOfThen {
  readonly #deciders = new Map<string, Decider>();
  readonly #shelf: CatalogShelf;

  /** `letGo`: told of a catalog that goes out of memory. */
  constructor(
    private readonly past: Pick<ThePast, 'bundle' | 'keptCatalog'>,
    atHand: Catalog,
    letGo: (catalogVersion: string) => void,
  ) {
    this.#shelf = new CatalogShelf({
      atHand,
      kept: (version) => past.keptCatalog(version),
      letGo: (version) => {
        for (const [key, { catalog }] of this.#deciders)
          if (catalog.version === version) this.#deciders.delete(key);
        letGo(version);
      },
    });
  }

  /**
   * Undefined where the bundle is not at hand. Over the catalog at hand where that of then was never kept: `rederive` says
   * so. Rejects where what is kept is not what its version says.
   */
  async of({
    policyVersion,
    catalogVersion,
  }: Pick<RecordedDecision, 'policyVersion' | 'catalogVersion'>): Promise<Decider | undefined> {
    const bundle = await this.past.bundle(policyVersion);
    if (bundle === undefined) return undefined;
    const catalog = (await this.#shelf.of(catalogVersion)) ?? this.#shelf.atHand;
    const key = `${policyVersion}\n${catalog.version}`;
    const known = this.#deciders.get(key);
    if (known) return known;
    if (this.#deciders.size >= DECIDERS_MAX) this.#deciders.clear();
    const decider = watchedDecider(bundle, catalog);
    this.#deciders.set(key, decider);
    return decider;
  }
}

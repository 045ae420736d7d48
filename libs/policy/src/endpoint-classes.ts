import type { Catalog, Endpoint } from '#libs/catalog';

import { endpointFacts, modelFacts, offerFacts } from './endpoint-facts.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { expiriesMs } from './facts-evidence.js';
import type { Reads } from './reads.js';

/** Sets of reads whose partitions are kept; a bundle has few, a hostile mixture of wants cannot make many. */
const PARTITIONS_LIMIT = 64;

/**
 * Groups endpoints that no live policy can tell apart, so that one evaluation answers for the group.
 * Holds for one stretch of time between two expiries of facts.
 */
export class EndpointClasses {
  readonly #catalog: Catalog;
  /** Ascending instants at which some provider's facts stop being read. */
  readonly #expiriesMs: readonly number[];
  #stretch = -1;
  #partitions = new Map<string, Partition>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    const expiries = [...catalog.providers.values()].flatMap(({ facts }) =>
      facts ? expiriesMs(facts) : [],
    );
    this.#expiriesMs = [...new Set(expiries)].toSorted((a, b) => a - b);
  }

  /** Which stretch `nowMs` lies in, and when it ends. What was found in another stretch is forgotten. */
  enter(nowMs: number): { readonly stretch: number; readonly untilMs: number | undefined } {
    let stretch = 0;
    while (stretch < this.#expiriesMs.length && nowMs >= this.#expiriesMs[stretch]!) stretch += 1;
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#partitions = new Map();
    }
    return { stretch, untilMs: this.#expiriesMs[stretch] };
  }

  factsOf(endpoint: Endpoint, nowMs: number): EndpointFacts {
    return endpointFacts(endpoint, this.#catalog, nowMs);
  }

  /** The partition for what can be read; `nowMs` lies in the stretch last entered. */
  partition(reads: Reads, nowMs: number): Partition {
    const key = JSON.stringify([
      [...reads.attributes].toSorted(),
      [...reads.identities].toSorted(),
      reads.everything,
    ]);
    let partition = this.#partitions.get(key);
    if (!partition) {
      if (this.#partitions.size >= PARTITIONS_LIMIT) this.#partitions.clear();
      partition = new Partition(this.#catalog, reads, nowMs, key);
      this.#partitions.set(key, partition);
    }
    return partition;
  }
}

/** Class keys of endpoints under one set of reads. */
export class Partition {
  readonly #offers = new Map<string, string>();
  readonly #models = new Map<string, string>();

  constructor(
    private readonly catalog: Catalog,
    private readonly reads: Reads,
    private readonly nowMs: number,
    private readonly readsKey: string,
  ) {}

  classOf(endpoint: Endpoint): string {
    const identity = this.#reads('Endpoint') ? endpoint.id : '';
    return `${this.readsKey}${this.#offer(endpoint)}${this.#model(endpoint.modelId)}${identity}`;
  }

  #offer(endpoint: Endpoint): string {
    const { providerId, region, contract } = endpoint;
    const name = `${providerId}|${region}|${contract}`;
    let key = this.#offers.get(name);
    if (key === undefined) {
      const facts = offerFacts(endpoint, this.catalog.providers.get(providerId), this.nowMs);
      key = this.#picked(facts) + (this.#reads('Provider') ? `|${providerId}|` : '|');
      this.#offers.set(name, key);
    }
    return key;
  }

  #model(modelId: string): string {
    let key = this.#models.get(modelId);
    if (key === undefined) {
      const facts = modelFacts(this.catalog.models.get(modelId));
      key = this.#picked(facts) + (this.#reads('Model') ? `|${modelId}|` : '|');
      this.#models.set(modelId, key);
    }
    return key;
  }

  #reads(type: 'Endpoint' | 'Provider' | 'Model'): boolean {
    return this.reads.everything || this.reads.identities.has(type);
  }

  #picked(facts: object): string {
    const read = Object.entries(facts).filter(
      ([name]) => this.reads.everything || this.reads.attributes.has(name),
    );
    return JSON.stringify(read.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}

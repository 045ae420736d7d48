import { expiryMs } from '#libs/catalog';
import type { Catalog, Endpoint, Model } from '#libs/catalog';

import { endpointFacts, modelFacts, offerFacts } from './endpoint-facts.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { isReadAs } from './facts-evidence.js';
import { isToldApart, type Reads } from './reads.js';

/** Sets of reads whose partitions are kept; a bundle has few, a hostile mixture of wants cannot make many. */
const PARTITIONS_LIMIT = 64;

/**
 * Groups endpoints that no live policy can tell apart, so that one evaluation answers for the group.
 * Holds for one stretch of time between two instants at which some fact begins or ends.
 */
export class EndpointClasses {
  readonly #catalog: Catalog;
  /** Ascending instants at which some fact begins to be read or stops. */
  readonly #changesMs: readonly number[];
  #stretch = -1;
  #partitions = new Map<string, Partition>();
  /** The same partitions by the very object: spares naming what is read. */
  #byReads = new WeakMap<Reads, Partition>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    const ofProviders = [...catalog.providers.values()].flatMap(({ facts }) =>
      facts.flatMap(({ fromMs, untilMs }) => [fromMs, untilMs]),
    );
    const ofModels = [...catalog.models.values()].flatMap(modelChangesMs);
    const finite = [...ofProviders, ...ofModels].filter((ms) => Number.isFinite(ms));
    this.#changesMs = [...new Set(finite)].toSorted((a, b) => a - b);
  }

  /** Which stretch `nowMs` lies in. What was found in another stretch is forgotten. */
  enter(nowMs: number): number {
    let stretch = 0;
    while (stretch < this.#changesMs.length && nowMs >= this.#changesMs[stretch]!) stretch += 1;
    if (stretch !== this.#stretch) {
      this.#stretch = stretch;
      this.#partitions = new Map();
      this.#byReads = new WeakMap();
    }
    return stretch;
  }

  factsOf(endpoint: Endpoint, nowMs: number): EndpointFacts {
    return endpointFacts(endpoint, this.#catalog, nowMs);
  }

  /** The partition for what can be read; `nowMs` lies in the stretch last entered. */
  partition(reads: Reads, nowMs: number): Partition {
    let partition = this.#byReads.get(reads);
    if (!partition) {
      partition = this.#partitionLike(reads, nowMs);
      this.#byReads.set(reads, partition);
    }
    return partition;
  }

  #partitionLike(reads: Reads, nowMs: number): Partition {
    const key = JSON.stringify([
      [...reads.attributes].toSorted(),
      [...reads.identities].toSorted(),
      [...reads.named].toSorted(),
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

const modelChangesMs = ({ evidence }: Model): number[] =>
  [evidence?.originCountry, evidence?.openWeights].flatMap((e) =>
    e ? [expiryMs(e.expiresOn)] : [],
  );

/** Class keys of endpoints under one set of reads. */
export class Partition {
  /** By ordinal: what was found for an endpoint holds as long as this partition. */
  readonly #classes: string[] = [];
  /** One string per class, however many endpoints are in it. */
  readonly #keys = new Map<string, string>();
  readonly #offers = new Map<string, string>();
  readonly #models = new Map<string, string>();
  readonly #until = new Map<string, number>();
  /** Whether anything is stated of single models there. */
  readonly #byModel = new Map<string, boolean>();

  constructor(
    private readonly catalog: Catalog,
    private readonly reads: Reads,
    private readonly nowMs: number,
    private readonly readsKey: string,
  ) {}

  classOf(endpoint: Endpoint): string {
    const known = this.#classes[endpoint.ordinal];
    if (known !== undefined) return known;
    const identity = this.#told('Endpoint', endpoint.id);
    const found = `${this.readsKey}${this.#offer(endpoint)}${this.#model(endpoint.modelId)}${identity}`;
    const key = this.#keys.get(found) ?? found;
    this.#keys.set(key, key);
    this.#classes[endpoint.ordinal] = key;
    return key;
  }

  /** When the next fact that is read of this endpoint begins or ends; Infinity where none does. */
  untilMs({ providerId, modelId }: Endpoint): number {
    let untilMs = this.#until.get(providerId);
    if (untilMs === undefined) {
      const facts = this.catalog.providers.get(providerId)?.facts ?? [];
      const read = facts.filter(
        ({ fact }) => this.reads.everything || isReadAs(fact, this.reads.attributes),
      );
      untilMs = this.#next(read.flatMap((s) => [s.fromMs, s.untilMs]));
      this.#until.set(providerId, untilMs);
    }
    return this.#readsModels() ? Math.min(untilMs, this.#untilOfModel(modelId)) : untilMs;
  }

  #untilOfModel(modelId: string): number {
    const name = `model ${modelId}`;
    let untilMs = this.#until.get(name);
    if (untilMs === undefined) {
      const model = this.catalog.models.get(modelId);
      untilMs = this.#next(model === undefined ? [] : modelChangesMs(model));
      this.#until.set(name, untilMs);
    }
    return untilMs;
  }

  #readsModels(): boolean {
    const { attributes, everything } = this.reads;
    return everything || attributes.has('originCountry') || attributes.has('openWeights');
  }

  #next = (changesMs: readonly number[]): number =>
    changesMs.reduce((next, ms) => (ms > this.nowMs && ms < next ? ms : next), Infinity);

  #offer(endpoint: Endpoint): string {
    const { providerId, region, contract, modelId } = endpoint;
    const byModel = this.#statesOfModels(providerId) ? modelId : '';
    const name = `${providerId}|${region}|${contract}|${endpoint.dialect}|${byModel}`;
    let key = this.#offers.get(name);
    if (key === undefined) {
      const facts = offerFacts(endpoint, this.catalog.providers.get(providerId), this.nowMs);
      key = `${this.#picked(facts)}|${this.#told('Provider', providerId)}|`;
      this.#offers.set(name, key);
    }
    return key;
  }

  #statesOfModels(providerId: string): boolean {
    let states = this.#byModel.get(providerId);
    if (states === undefined) {
      const facts = this.catalog.providers.get(providerId)?.facts ?? [];
      states = facts.some(({ scope }) => scope.model !== undefined);
      this.#byModel.set(providerId, states);
    }
    return states;
  }

  #model(modelId: string): string {
    let key = this.#models.get(modelId);
    if (key === undefined) {
      const facts = modelFacts(this.catalog.models.get(modelId), this.nowMs);
      key = `${this.#picked(facts)}|${this.#told('Model', modelId)}|`;
      this.#models.set(modelId, key);
    }
    return key;
  }

  /** Its id where a policy can tell it from others by that. */
  #told(type: 'Endpoint' | 'Provider' | 'Model', id: string): string {
    return isToldApart(this.reads, type, id) ? id : '';
  }

  #picked(facts: object): string {
    const read = Object.entries(facts).filter(
      ([name]) => this.reads.everything || this.reads.attributes.has(name),
    );
    return JSON.stringify(read.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** Decisions kept. One holds references to endpoints of the catalog: 1–40 KB, by how many it names. */
export const DECISION_CACHE_LIMIT = 4_096;

/** What makes two decisions the same one. */
export interface DecisionKey {
  readonly policyVersion: string;
  readonly catalogVersion: string;
  /** From `profileKey`; a caller keeps it beside the principal's snapshot. */
  readonly profile: string;
  /** From `factsKey`. */
  readonly facts: string;
  /** The model id whose endpoints were asked about, or `*` for the whole catalog. */
  readonly scope: string;
  /** Ids of the exceptions in force for who asks, joined; absent where there are none. */
  readonly exceptions?: string | undefined;
  /** Version of the asking organisation's own facts; absent where it has none. */
  readonly organisationFacts?: string | undefined;
}

/** A decision, or what a caller derived from one; without an instant it holds while the versions do. */
export interface Cacheable {
  readonly validUntilMs?: number;
}

/**
 * Bounded memory of decisions, least lately used out first. Versions are part of the key, so a new version
 * invalidates nothing; what it leaves behind ages out.
 */
export class DecisionCache<T extends Cacheable> {
  readonly #decisions = new Map<string, T>();

  constructor(private readonly limit: number = DECISION_CACHE_LIMIT) {}

  get size(): number {
    return this.#decisions.size;
  }

  /** The decision if it is known and still holds at `nowMs`. */
  get(key: DecisionKey, nowMs: number): T | undefined {
    const name = nameOf(key);
    const decision = this.#decisions.get(name);
    if (decision === undefined) return undefined;
    this.#decisions.delete(name);
    if (decision.validUntilMs !== undefined && nowMs >= decision.validUntilMs) return undefined;
    this.#decisions.set(name, decision);
    return decision;
  }

  set(key: DecisionKey, decision: T): void {
    const name = nameOf(key);
    this.#decisions.delete(name);
    this.#decisions.set(name, decision);
    if (this.#decisions.size <= this.limit) return;
    for (const oldest of this.#decisions.keys()) {
      this.#decisions.delete(oldest);
      break;
    }
  }

  /** Drops what was decided under one bundle: for when its decisions were found to be in doubt. */
  forget(policyVersion: string): void {
    for (const name of this.#decisions.keys())
      if (name.startsWith(`${policyVersion}\n`)) this.#decisions.delete(name);
  }
}

/** Profile and facts are JSON or plain words, versions hex, so a line feed separates without doubt. */
const nameOf = (k: DecisionKey): string =>
  `${k.policyVersion}\n${k.catalogVersion}\n${k.profile}\n${k.facts}\n${k.scope}\n${k.exceptions ?? ''}\n${k.organisationFacts ?? ''}`;

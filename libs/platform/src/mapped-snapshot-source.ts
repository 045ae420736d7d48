import { SnapshotSource, type Snapshot } from './snapshot-source.js';
import { ChangeListeners, firstSnapshot } from './snapshot-listeners.js';

/**
 * A derived view (an index, a compiled form) of another source's value, made once per version, at the swap and not
 * at the first reader. Where `derive` throws, the last good view stays. Age is the origin's.
 */
export class MappedSnapshotSource<S, T> extends SnapshotSource<T> {
  #current: Snapshot<T> | undefined;
  readonly #listeners = new ChangeListeners<T>();
  readonly #off: () => void;

  constructor(
    private readonly origin: SnapshotSource<S>,
    private readonly derive: (value: S) => T,
  ) {
    super();
    const first = origin.current();
    if (first !== undefined) this.#swap(first);
    this.#off = origin.onChange((snapshot) => this.#swap(snapshot));
  }

  override current(): Snapshot<T> | undefined {
    return this.#current;
  }

  override onChange(listener: (snapshot: Snapshot<T>) => void): () => void {
    return this.#listeners.add(listener);
  }

  override ready(signal: AbortSignal): Promise<void> {
    return firstSnapshot(this, signal);
  }

  /** Lets go of the origin, which it does not close. */
  override async close(): Promise<void> {
    this.#off();
    this.#listeners.clear();
  }

  #swap(from: Snapshot<S>): void {
    const value = this.derive(from.value);
    const { origin } = this;
    const confirmed = (): Snapshot<S> => {
      const now = origin.current();
      return now?.version === from.version ? now : from;
    };
    const snapshot: Snapshot<T> = {
      version: from.version,
      value,
      get confirmedAtMs(): number {
        return confirmed().confirmedAtMs;
      },
      get confirmedMonotonicMs(): number {
        return confirmed().confirmedMonotonicMs;
      },
    };
    this.#current = snapshot;
    this.#listeners.tell(snapshot);
  }
}

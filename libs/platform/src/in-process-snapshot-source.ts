import { SnapshotSource, type Snapshot } from './snapshot-source.js';
import { ChangeListeners, firstSnapshot } from './snapshot-listeners.js';

/**
 * The owner publishes straight into the reader's memory. Owner and reader live and die together, so a snapshot
 * here is confirmed at every instant and never stale.
 */
export class InProcessSnapshotSource<T> extends SnapshotSource<T> {
  #current: Snapshot<T> | undefined;
  readonly #listeners = new ChangeListeners<T>();

  /** Swaps at once and tells the listeners. The value must not be changed afterwards. */
  publish(version: string, value: T): void {
    const snapshot: Snapshot<T> = {
      version,
      value,
      get confirmedAtMs(): number {
        return Date.now();
      },
      get confirmedMonotonicMs(): number {
        return performance.now();
      },
    };
    this.#current = snapshot;
    this.#listeners.tell(snapshot);
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

  override async close(): Promise<void> {
    this.#listeners.clear();
  }
}

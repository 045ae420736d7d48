import type { Snapshot, SnapshotSource } from './snapshot-source.js';

/** Listeners in the order of their arrival; one that throws does not keep the others from being told. */
export class ChangeListeners<T> {
  readonly #listeners = new Set<(snapshot: Snapshot<T>) => void>();

  add(listener: (snapshot: Snapshot<T>) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(snapshot: Snapshot<T>): void {
    const thrown: unknown[] = [];
    for (const listener of this.#listeners) {
      try {
        listener(snapshot);
      } catch (error) {
        thrown.push(error);
      }
    }
    if (thrown.length > 0) throw new AggregateError(thrown, 'a snapshot listener threw');
  }

  clear(): void {
    this.#listeners.clear();
  }
}

/** Resolves at the first snapshot; rejects with the signal's reason. */
export function firstSnapshot<T>(source: SnapshotSource<T>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (source.current() !== undefined) return resolve();
    if (signal.aborted) return reject(signal.reason as Error);
    const aborted = (): void => {
      off();
      reject(signal.reason as Error);
    };
    const off = source.onChange(() => {
      off();
      signal.removeEventListener('abort', aborted);
      resolve();
    });
    signal.addEventListener('abort', aborted, { once: true });
  });
}

/**
 * The reader's judgement: older than the stated maximum age means fail closed. By whichever clock says so first: the wall
 * clock may be set back, and the monotonic clock of a machine that slept has slept with it.
 */
export const isStale = (
  snapshot: Snapshot<unknown>,
  nowMs: number,
  maxAgeMs: number,
  monotonicMs: number = performance.now(),
): boolean =>
  nowMs - snapshot.confirmedAtMs > maxAgeMs ||
  monotonicMs - snapshot.confirmedMonotonicMs > maxAgeMs;

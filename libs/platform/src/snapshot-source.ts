/**
 * An immutable value with a version, held in memory and swapped atomically. Two adapters: in process
 * (the owner publishes into it) and HTTP (polled with ETag). `current()` is a field read: fit for the hot path.
 */
export interface Snapshot<T> {
  readonly version: string;
  readonly value: T;
  /** Unix ms the owner last confirmed this version; older than the maximum age = stale. */
  readonly confirmedAtMs: number;
  /** The same moment by this process's monotonic clock, ms. */
  readonly confirmedMonotonicMs: number;
}

export abstract class SnapshotSource<T> {
  /** The last good snapshot, or undefined before the first one. Never throws. */
  abstract current(): Snapshot<T> | undefined;
  /** Called after each swap, in order; returns the unsubscriber. */
  abstract onChange(listener: (snapshot: Snapshot<T>) => void): () => void;
  /** Resolves once there is a first snapshot; rejects when the signal aborts. */
  abstract ready(signal: AbortSignal): Promise<void>;
  abstract close(): Promise<void>;
}

import { BUCKET_MS, EndpointWindow } from './endpoint-window.js';
import { healthSnapshot, mergeHealth, NO_HEALTH } from './health-snapshot.js';
import type { EndpointHealth, HealthSnapshot, Outcome } from './types.js';

/** A snapshot is made at most this often: plans of one moment share it, and so does their record. */
export const SNAPSHOT_EVERY_MS = 250;
/** Endpoints remembered at most; about twice the catalog. Beyond it the one heard of first is forgotten. */
export const TRACKED_ENDPOINTS_MAX = 10_000;
/** Breakers and windows move with time alone; a snapshot is looked over this often though nothing was heard. */
const REVIEW_EVERY_MS = 1_000;

/**
 * Recent outcomes by endpoint. Remembers only endpoints with outcomes and drops them after a silent window.
 * `record` and `permit` are O(1); `snapshot` is a field read but for one rebuild in 250 ms.
 */
export class HealthTracker {
  readonly #windows = new Map<string, EndpointWindow>();
  /** Rows of the last snapshot that are still right for windows nobody wrote to. */
  readonly #rows = new Map<string, EndpointHealth>();
  readonly #changed = new Set<string>();
  #current: HealthSnapshot = NO_HEALTH;
  #reviewedAtMs = 0;
  /** The latest time heard of: a clock that says less was set back. */
  #latestMs = 0;
  #bucket = -1;

  record(outcome: Outcome): void {
    let window = this.#windows.get(outcome.endpointId);
    if (window === undefined) {
      window = new EndpointWindow(outcome.endpointId);
      this.#windows.set(outcome.endpointId, window);
      if (this.#windows.size > TRACKED_ENDPOINTS_MAX) this.#forgetOldest();
    }
    window.record(outcome);
    this.#latestMs = Math.max(this.#latestMs, outcome.atMs);
    this.#changed.add(outcome.endpointId);
  }

  /** Whether an attempt may go to the endpoint; takes the one probe of a half-open breaker. */
  permit(endpointId: string, nowMs: number): boolean {
    return this.#windows.get(endpointId)?.permit(nowMs) ?? true;
  }

  /** The same object until something changed and 250 ms have passed. */
  snapshot(nowMs: number): HealthSnapshot {
    if (nowMs < this.#latestMs) this.#setBack(nowMs);
    const sinceMs = nowMs - this.#reviewedAtMs;
    if (sinceMs < SNAPSHOT_EVERY_MS) return this.#current;
    if (this.#changed.size === 0 && (sinceMs < REVIEW_EVERY_MS || this.#windows.size === 0))
      return this.#current;
    this.#reviewedAtMs = nowMs;
    this.#latestMs = nowMs;
    if (this.#review(nowMs)) this.#current = healthSnapshot(nowMs, new Map(this.#rows));
    return this.#current;
  }

  get trackedEndpoints(): number {
    return this.#windows.size;
  }

  /** Brings the rows up to date; true if any of them differs from before. */
  #review(nowMs: number): boolean {
    const bucket = Math.floor(nowMs / BUCKET_MS);
    const moved = bucket !== this.#bucket;
    this.#bucket = bucket;
    let differs = false;
    for (const [id, window] of this.#windows) {
      const row = this.#rows.get(id);
      if (window.idle(nowMs)) {
        this.#windows.delete(id);
        differs = this.#rows.delete(id) || differs;
      } else if (
        moved ||
        row === undefined ||
        this.#changed.has(id) ||
        row.breaker !== window.breaker(nowMs)
      ) {
        const next = window.health(nowMs);
        differs ||= row === undefined || !sameRow(row, next);
        this.#rows.set(id, next);
      }
    }
    this.#changed.clear();
    return differs;
  }

  #setBack(nowMs: number): void {
    for (const [id, window] of this.#windows) {
      window.notAfter(nowMs);
      this.#changed.add(id);
    }
    this.#latestMs = nowMs;
    this.#reviewedAtMs = -Infinity;
  }

  #forgetOldest(): void {
    const oldest = this.#windows.keys().next();
    if (oldest.done === true) return;
    this.#windows.delete(oldest.value);
    this.#rows.delete(oldest.value);
  }
}

/**
 * What the data plane plans by: own outcomes at once, those of other processes as the route table brings them.
 * Merged anew only when either side changed, or each second for the remote side's ageing.
 */
export class HealthView {
  #local: HealthSnapshot = NO_HEALTH;
  #remote: HealthSnapshot | undefined;
  #merged: HealthSnapshot = NO_HEALTH;
  #mergedAtMs = 0;

  constructor(readonly tracker: HealthTracker) {}

  current(remote: HealthSnapshot | undefined, nowMs: number): HealthSnapshot {
    const local = this.tracker.snapshot(nowMs);
    if (remote === undefined) return local;
    const stale = Math.abs(nowMs - this.#mergedAtMs) >= REVIEW_EVERY_MS;
    if (local !== this.#local || remote !== this.#remote || stale) {
      this.#local = local;
      this.#remote = remote;
      this.#mergedAtMs = nowMs;
      this.#merged = mergeHealth(local, remote, nowMs);
    }
    return this.#merged;
  }
}

function sameRow(a: EndpointHealth, b: EndpointHealth): boolean {
  return (
    a.successes === b.successes &&
    a.failures === b.failures &&
    a.lastFailureAtMs === b.lastFailureAtMs &&
    a.breaker === b.breaker &&
    a.firstTokenMsP50 === b.firstTokenMsP50 &&
    a.tokensPerSecondP50 === b.tokensPerSecondP50
  );
}

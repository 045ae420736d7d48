import type { EndpointHealth, Outcome } from './types.js';

/** Statistics cover this time; OpenRouter's too. */
export const WINDOW_MS = 5 * 60_000;
/** The window moves on in these steps. */
export const BUCKET_MS = 30_000;
const BUCKETS = WINDOW_MS / BUCKET_MS;
/** Latency samples kept per endpoint: enough for a median, 2 KB. */
const SAMPLES_MAX = 128;

/** An open breaker lets a probe through after this time. */
export const COOLDOWN_MS = 30_000;
/** A probe of which nothing is heard for this long was lost; another may go. */
export const PROBE_LOST_MS = 60_000;
/** This many failures in a row open the breaker. */
export const CONSECUTIVE_FAILURES_MAX = 5;
/** Or at least this share of failures … */
export const FAILURE_SHARE_MAX = 0.5;
/** … among at least so many outcomes of the last two buckets. */
export const SHARE_OUTCOMES_MIN = 20;

/** Outcomes of one endpoint over the last five minutes, and its breaker. Constant memory. */
export class EndpointWindow {
  /** Ring by bucket number; `#bucketAt` says which bucket's counts a slot holds. */
  readonly #successes = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  readonly #bucketAt = new Float64Array(BUCKETS).fill(-1);
  readonly #firstToken = new SampleRing();
  readonly #speed = new SampleRing();
  #consecutiveFailures = 0;
  #lastFailureAtMs: number | undefined;
  #openedAtMs: number | undefined;
  #probeAtMs: number | undefined;
  #heardAtMs = 0;

  constructor(readonly endpointId: string) {}

  /** Counts a success or a failure. Others (`rejected`, `cancelled`) only give a waiting probe back. */
  record(outcome: Outcome): void {
    this.#heardAtMs = Math.max(this.#heardAtMs, outcome.atMs);
    if (outcome.result === 'rejected' || outcome.result === 'cancelled') {
      this.#probeAtMs = undefined;
      return;
    }
    const slot = this.#slot(outcome.atMs);
    if (outcome.result === 'success') this.#succeed(outcome, slot);
    else this.#fail(outcome.atMs, slot);
  }

  breaker(nowMs: number): EndpointHealth['breaker'] {
    if (this.#openedAtMs === undefined) return 'closed';
    return nowMs - this.#openedAtMs >= COOLDOWN_MS ? 'half-open' : 'open';
  }

  /** Whether an attempt may go: always when closed, never when open, one at a time when half-open. */
  permit(nowMs: number): boolean {
    const state = this.breaker(nowMs);
    if (state !== 'half-open') return state === 'closed';
    if (this.#probeAtMs !== undefined && nowMs - this.#probeAtMs < PROBE_LOST_MS) return false;
    this.#probeAtMs = nowMs;
    return true;
  }

  /** True when nothing was heard for a whole window: whatever was known has lapsed. */
  idle(nowMs: number): boolean {
    return nowMs - this.#heardAtMs >= WINDOW_MS;
  }

  /**
   * The clock was set back: what was heard before counts as heard now. A cooldown that has begun thus ends after its time, and
   * what is known lapses after a window, however far the step went.
   */
  notAfter(nowMs: number): void {
    this.#heardAtMs = Math.min(this.#heardAtMs, nowMs);
    this.#lastFailureAtMs = earlier(this.#lastFailureAtMs, nowMs);
    this.#openedAtMs = earlier(this.#openedAtMs, nowMs);
    this.#probeAtMs = earlier(this.#probeAtMs, nowMs);
    this.#firstToken.notAfter(nowMs);
    this.#speed.notAfter(nowMs);
    let [successes, failures] = [0, 0];
    for (let i = 0; i < BUCKETS; i++) {
      if (this.#bucketAt[i]! <= Math.floor(nowMs / BUCKET_MS)) continue;
      this.#bucketAt[i] = -1;
      successes += this.#successes[i]!;
      failures += this.#failures[i]!;
    }
    if (successes + failures === 0) return;
    const slot = this.#slot(nowMs)!;
    this.#successes[slot]! += successes;
    this.#failures[slot]! += failures;
  }

  health(nowMs: number): EndpointHealth {
    const oldest = Math.floor((nowMs - WINDOW_MS) / BUCKET_MS) + 1;
    const firstTokenMsP50 = this.#firstToken.median(nowMs - WINDOW_MS);
    const tokensPerSecondP50 = this.#speed.median(nowMs - WINDOW_MS);
    const failedAt = this.#lastFailureAtMs;
    return Object.freeze({
      endpointId: this.endpointId,
      successes: this.#count(this.#successes, oldest),
      failures: this.#count(this.#failures, oldest),
      ...(failedAt !== undefined && failedAt > nowMs - WINDOW_MS && { lastFailureAtMs: failedAt }),
      breaker: this.breaker(nowMs),
      ...(firstTokenMsP50 !== undefined && { firstTokenMsP50 }),
      ...(tokensPerSecondP50 !== undefined && { tokensPerSecondP50 }),
    });
  }

  #succeed(outcome: Outcome, slot: number | undefined): void {
    if (slot !== undefined) this.#successes[slot]!++;
    if (outcome.firstTokenMs !== undefined)
      this.#firstToken.add(outcome.atMs, outcome.firstTokenMs);
    if (outcome.tokensPerSecond !== undefined)
      this.#speed.add(outcome.atMs, outcome.tokensPerSecond);
    this.#consecutiveFailures = 0;
    if (this.#openedAtMs === undefined) return;
    this.#openedAtMs = undefined;
    this.#probeAtMs = undefined;
    // The outage is over: its counts must not open the breaker again with the next single failure.
    this.#failures.fill(0);
  }

  #fail(atMs: number, slot: number | undefined): void {
    if (slot !== undefined) this.#failures[slot]!++;
    this.#lastFailureAtMs = Math.max(this.#lastFailureAtMs ?? 0, atMs);
    this.#consecutiveFailures++;
    this.#probeAtMs = undefined;
    if (this.#openedAtMs !== undefined) {
      // A failed probe starts the cooldown anew; stragglers of before do not.
      if (atMs - this.#openedAtMs >= COOLDOWN_MS) this.#openedAtMs = atMs;
    } else if (
      this.#consecutiveFailures >= CONSECUTIVE_FAILURES_MAX ||
      this.#shareTooHigh(Math.floor(atMs / BUCKET_MS))
    )
      this.#openedAtMs = atMs;
  }

  #shareTooHigh(bucket: number): boolean {
    const failures = this.#count(this.#failures, bucket - 1);
    const all = failures + this.#count(this.#successes, bucket - 1);
    return all >= SHARE_OUTCOMES_MIN && failures >= FAILURE_SHARE_MAX * all;
  }

  /** The slot for a time, cleared if it still holds a lapsed bucket; undefined when the time itself has lapsed. */
  #slot(atMs: number): number | undefined {
    const bucket = Math.floor(atMs / BUCKET_MS);
    const slot = bucket % BUCKETS;
    const held = this.#bucketAt[slot]!;
    if (held > bucket) return undefined;
    if (held < bucket) {
      this.#bucketAt[slot] = bucket;
      this.#successes[slot] = 0;
      this.#failures[slot] = 0;
    }
    return slot;
  }

  #count(counts: Uint32Array, oldestBucket: number): number {
    let sum = 0;
    for (let i = 0; i < BUCKETS; i++) if (this.#bucketAt[i]! >= oldestBucket) sum += counts[i]!;
    return sum;
  }
}

const earlier = (atMs: number | undefined, nowMs: number): number | undefined =>
  atMs === undefined ? undefined : Math.min(atMs, nowMs);

/** The last samples with their times. */
class SampleRing {
  readonly #values: number[] = [];
  readonly #times: number[] = [];
  #next = 0;

  add(atMs: number, value: number): void {
    this.#values[this.#next] = value;
    this.#times[this.#next] = atMs;
    this.#next = (this.#next + 1) % SAMPLES_MAX;
  }

  notAfter(nowMs: number): void {
    this.#times.forEach((atMs, i) => (this.#times[i] = Math.min(atMs, nowMs)));
  }

  /** Lower median of the samples after `sinceMs`, rounded to three decimals; undefined when there are none. */
  median(sinceMs: number): number | undefined {
    const fresh = this.#values.filter((_, i) => this.#times[i]! > sinceMs).sort((a, b) => a - b);
    const middle = fresh[(fresh.length - 1) >> 1];
    return middle === undefined ? undefined : Math.round(middle * 1_000) / 1_000;
  }
}

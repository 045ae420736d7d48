/** The two times a record carries: wall time says when, monotonic time says how long. */
export abstract class Clock {
  /** Unix time in milliseconds. May jump; order never depends on it. */
  abstract nowMs(): number;
  /** Milliseconds on a clock that never goes back; only differences mean something. */
  abstract monotonicMs(): number;
}

export class SystemClock extends Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }
}

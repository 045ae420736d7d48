/**
 * A stream may be gigabytes, and is read no faster than it is looked at. What counts is the time in which we wait for it:
 * beyond the first minute it must keep up this pace, or it could drip for ever.
 */
const STREAM_BYTES_PER_MS = 64;

/** Aborts a request that has kept us waiting for too long in all. */
export class Wait {
  #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #sinceMs = 0;
  #leftMs: number;

  constructor(private readonly answerMs: number) {
    this.#leftMs = answerMs;
  }

  /** Of a request, or of the next try. */
  begin(): AbortSignal {
    this.end();
    this.#controller = new AbortController();
    this.#leftMs = this.answerMs;
    this.go();
    return this.#controller.signal;
  }

  go(): void {
    this.#sinceMs = performance.now();
    this.#timer = setTimeout(() => this.#controller.abort(), Math.max(this.#leftMs, 0));
  }

  /** Something has come: what it may take the next is more for each byte. */
  end(bytes = 0): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs -= performance.now() - this.#sinceMs;
    this.#leftMs = Math.min(this.#leftMs + bytes / STREAM_BYTES_PER_MS, this.answerMs);
  }
}

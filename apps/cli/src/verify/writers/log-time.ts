/** What one writer's clock said last, and where the log's time stood then. */
interface Stand {
  readonly saidMs: number;
  readonly atMs: number;
}

/**
 * How much time went by in the log, by no clock in particular: it moves on as a writer's own clock does between two of its
 * records. A clock that is an hour ahead is so in both, and moves nothing.
 */
export class LogTime {
  readonly #stands = new Map<string, Stand>();
  #furthestMs = 0;
  #secondMs = 0;

  /** How many records must reach an end: with two, one leap of one clock is none. */
  constructor(private readonly records: 1 | 2) {}

  /** A record that goes on with its writer's chain; one that is said again is no sign of life. */
  take(writer: string, saidMs: number): void {
    const before = this.#stands.get(writer);
    const reachedMs = before === undefined ? this.#endMs : before.atMs + (saidMs - before.saidMs);
    if (reachedMs > this.#furthestMs) {
      this.#secondMs = this.#furthestMs;
      this.#furthestMs = reachedMs;
    } else if (reachedMs > this.#secondMs) this.#secondMs = reachedMs;
    // Whoever speaks is there by now, however slow its clock.
    this.#stands.set(writer, { saidMs, atMs: Math.max(reachedMs, this.#endMs) });
  }

  /** How long the writer had said nothing when the records ended. */
  silenceMs(writer: string): number {
    return this.#endMs - (this.#stands.get(writer)?.atMs ?? this.#endMs);
  }

  get #endMs(): number {
    return this.records === 1 ? this.#furthestMs : this.#secondMs;
  }
}

import type { HealthRecorded } from '#libs/audit-events';
import { healthOfRecord, type HealthSnapshot } from '#libs/routing';

/** Slices remembered, least lately asked for out first; one is a few kilobytes. */
const REMEMBERED_MAX = 20_000;
/** A writer says a slice before the first plan that cites it: how far beyond a plan's time to look for it. */
const LOOK_AHEAD_MS = 60_000;
/** Rows that a slice is cut at when it is recorded: of a longer one, the rest is not known. */
const SLICE_ROWS_MAX = 60;

export interface RecordedHealth {
  readonly snapshot: HealthSnapshot;
  /** The record may not hold all that the plan read. */
  readonly cut: boolean;
}

/** Health slices by digest, read along with the generations that cite them: never all in memory. */
export class HealthBook {
  readonly #known = new Map<string, RecordedHealth>();
  readonly #stream: AsyncIterator<{ readonly data: HealthRecorded; readonly saidAt: string }>;
  #reachedMs = -Infinity;
  #ended = false;

  constructor(stream: AsyncIterable<{ readonly data: HealthRecorded; readonly saidAt: string }>) {
    this.#stream = stream[Symbol.asyncIterator]();
  }

  async of(digest: string, citedAtMs: number): Promise<RecordedHealth | undefined> {
    for (;;) {
      const known = this.#known.get(digest);
      if (known) {
        this.#known.delete(digest);
        this.#known.set(digest, known);
        return known;
      }
      if (this.#ended || this.#reachedMs > citedAtMs + LOOK_AHEAD_MS) return undefined;
      await this.#readOn();
    }
  }

  async #readOn(): Promise<void> {
    const next = await this.#stream.next();
    if (next.done) {
      this.#ended = true;
      return;
    }
    const { data, saidAt } = next.value;
    this.#reachedMs = Date.parse(saidAt);
    this.#known.set(data.digest, {
      snapshot: healthOfRecord(data.version, data.takenAt, data.endpoints),
      cut: data.endpoints.length >= SLICE_ROWS_MAX,
    });
    if (this.#known.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }
}

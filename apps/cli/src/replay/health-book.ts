import type { HealthRecorded } from '#libs/audit-events';
import { healthOfRecord, type HealthSnapshot } from '#libs/routing';

/** Slices remembered, least lately asked for out first; one is a few kilobytes. */
const REMEMBERED_MAX = 5_000;
/** Rows that a slice is cut at when it is recorded: of a longer one, the rest is not known. */
const SLICE_ROWS_MAX = 60;

export interface RecordedHealth {
  readonly snapshot: HealthSnapshot;
  /** The record may not hold all that the plan read. */
  readonly cut: boolean;
}

/** Health slices by the digest that plans cite: looked up as they are cited, never all in memory. */
export class HealthBook {
  readonly #known = new Map<string, RecordedHealth>();

  constructor(
    private readonly lookUp: (
      digest: string,
    ) => Promise<{ readonly data: HealthRecorded } | undefined>,
  ) {}

  async of(digest: string): Promise<RecordedHealth | undefined> {
    const known = this.#known.get(digest) ?? (await this.#read(digest));
    if (known === undefined) return undefined;
    this.#known.delete(digest);
    this.#known.set(digest, known);
    if (this.#known.size > REMEMBERED_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    return known;
  }

  async #read(digest: string): Promise<RecordedHealth | undefined> {
    const recorded = await this.lookUp(digest);
    if (recorded === undefined) return undefined;
    const { version, takenAt, endpoints } = recorded.data;
    return {
      snapshot: healthOfRecord(version, takenAt, endpoints),
      cut: endpoints.length >= SLICE_ROWS_MAX,
    };
  }
}

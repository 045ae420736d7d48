/** Above this the wait for the batch at hand shows in the time from last byte to posted entry. */
const POSTING_MS = 150;
/**
 * A batch's fixed cost is some twenty statements and a sync. With 200 records a batch took a third more of both processors'
 * time than with 800 (measured on a busy machine): what is behind must not be made slower still.
 */
export const BATCH_RECORDS_MIN = 400;
/** More gain nothing: the fixed cost is a twentieth by then. */
export const BATCH_RECORDS_MAX = 800;
/** Weight of the newest batch: one that a checkpoint of the database held up changes little. */
const NEWEST = 0.2;

/** How many records to post at once, by how long the last ones took: smaller on a machine that is slow or busy. */
export class BatchSize {
  #msPerRecord: number | undefined;

  get records(): number {
    if (this.#msPerRecord === undefined || this.#msPerRecord <= 0) return BATCH_RECORDS_MAX;
    const wanted = Math.floor(POSTING_MS / this.#msPerRecord);
    return Math.min(BATCH_RECORDS_MAX, Math.max(BATCH_RECORDS_MIN, wanted));
  }

  /** Small ones tell of the fixed cost only, and are passed over. */
  took(records: number, ms: number): void {
    if (records < BATCH_RECORDS_MIN) return;
    const each = ms / records;
    this.#msPerRecord =
      this.#msPerRecord === undefined
        ? each
        : this.#msPerRecord + NEWEST * (each - this.#msPerRecord);
  }
}

import type { LogRecord } from '#libs/audit-events';
import { decodeRecords, type DecodedRecord } from '#libs/ledger-store';

/** A batch on its way, and where the one after it begins. */
interface Decoding {
  readonly batch: Promise<readonly DecodedRecord[]>;
  readonly end: number;
}

/**
 * Batches in the order in which they are read: while one is posted the next is decoded, and what was read behind it waits; no more is
 * read meanwhile. Where one fails `failed` aborts, and none after it is posted.
 */
export class PostingLine {
  readonly #failed = new AbortController();
  #posted: Promise<void> = Promise.resolve();

  constructor(
    /** Records to post at once. */
    private readonly size: () => number,
    private readonly post: (records: readonly DecodedRecord[]) => Promise<void>,
  ) {}

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Settles once all that was taken is posted, or one batch has failed. */
  get posted(): Promise<void> {
    return this.#posted;
  }

  /** Resolves once what was taken before is posted. */
  async take(records: readonly LogRecord[]): Promise<void> {
    const before = this.#posted;
    const first = this.#decode(records, 0);
    this.#posted = before.then(() => this.#inTurn(records, first));
    this.#posted.catch((error: unknown) => this.#failed.abort(error));
    await before;
  }

  /** What was read at once, in as many posting transactions as keep each of them short. */
  async #inTurn(records: readonly LogRecord[], first: Decoding | undefined): Promise<void> {
    for (let next = first; next !== undefined;) {
      const { batch, end } = next;
      const decoded = await batch;
      next = this.#decode(records, end);
      await this.post(decoded);
    }
  }

  #decode(records: readonly LogRecord[], from: number): Decoding | undefined {
    if (from >= records.length) return undefined;
    const end = Math.min(records.length, from + this.size());
    const batch = decodeRecords(records.slice(from, end));
    // Where the batch before it fails this one is not waited for any more.
    batch.catch(() => undefined);
    return { batch, end };
  }
}

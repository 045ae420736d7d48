import type { LogRecord } from '#libs/audit-events';

interface Waiting {
  readonly records: readonly LogRecord[];
  readonly resolve: () => void;
  readonly reject: (cause: unknown) => void;
}

/**
 * Makes one batch of what several partitions have at the same time. kafkajs hands over each partition's records by
 * themselves, and a batch costs the ledger a transaction of a dozen statements: with a dozen writers that beat every two
 * seconds it was never done. One call of `onBatch` at a time; after one has thrown, none.
 */
export class Gatherer {
  #waiting: Waiting[] = [];
  #running = false;
  #failed: { readonly cause: unknown } | undefined;

  constructor(
    private readonly maxRecords: number,
    private readonly onBatch: (records: readonly LogRecord[]) => Promise<void>,
  ) {}

  /** Resolves once `onBatch` has taken these records; rejects with what it threw. */
  take(records: readonly LogRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const going = this.#next();
      try {
        if (this.#failed !== undefined) throw this.#failed.cause;
        await this.onBatch(going.flatMap(({ records }) => records));
        for (const { resolve } of going) resolve();
      } catch (cause) {
        this.#failed ??= { cause };
        for (const { reject } of going) reject(cause);
      }
    }
    this.#running = false;
  }

  /** As many as fit, one at least, in the order in which they came. */
  #next(): readonly Waiting[] {
    let sum = 0;
    const fit = this.#waiting.findIndex(({ records }) => (sum += records.length) > this.maxRecords);
    return this.#waiting.splice(0, fit < 0 ? this.#waiting.length : Math.max(1, fit));
  }
}

import type { AppendBatch, BatchReceipt } from './append-log.js';

type Send = (batches: readonly AppendBatch[]) => Promise<PromiseSettledResult<BatchReceipt>[]>;

interface Waiting {
  readonly batch: AppendBatch;
  readonly resolve: (receipt: BatchReceipt) => void;
  readonly reject: (reason: unknown) => void;
}

/** Batches of one process gathered into one send; each holds at most 1,000 records and a process has few writers. */
const BATCHES_PER_SEND_MAX = 16;

/**
 * One send in flight for the whole process: what arrives meanwhile goes together in the next. Several writers
 * (data plane, ledger, control) that share a log then cost one round trip, and on Kafka one request queue slot.
 */
export class BatchCombiner {
  #waiting: Waiting[] = [];
  #sending = false;

  constructor(private readonly send: Send) {}

  append(batch: AppendBatch): Promise<BatchReceipt> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      if (!this.#sending) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#sending = true;
    while (this.#waiting.length > 0) {
      const going = this.#waiting.splice(0, BATCHES_PER_SEND_MAX);
      try {
        const settled = await this.send(going.map((w) => w.batch));
        going.forEach((w, i) => {
          const result = settled[i];
          if (result?.status === 'fulfilled') w.resolve(result.value);
          else w.reject(result?.reason);
        });
      } catch (error) {
        for (const w of going) w.reject(error);
      }
    }
    this.#sending = false;
  }
}

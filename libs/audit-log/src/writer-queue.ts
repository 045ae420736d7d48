import type { AppendReceipt } from './audit-writer.js';

export interface Waiter {
  /** On the monotonic clock. */
  readonly deadlineAtMs: number;
  readonly resolve: (receipt: AppendReceipt) => void;
  readonly reject: (error: Error) => void;
}

export interface QueuedEvent {
  readonly bytes: Buffer;
  readonly wseq: number;
  readonly lazy: boolean;
  /** The next event belongs to the same call and should go in the same batch. */
  readonly joined: boolean;
  /** Cleared once told: at the deadline or by the acknowledgement. */
  waiter: Waiter | undefined;
}

export interface WriterQueueLimits {
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
}

/** Events chained and not yet acknowledged, in wseq order; counts include the batch under way. */
export class WriterQueue {
  records = 0;
  bytes = 0;
  #waiting: QueuedEvent[] = [];
  #waitingBytes = 0;
  #eager = 0;

  constructor(private readonly limits: WriterQueueLimits) {}

  get full(): boolean {
    return this.records >= this.limits.recordsMax || this.bytes >= this.limits.bytesMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get hasEager(): boolean {
    return this.#eager > 0;
  }

  push(event: QueuedEvent): void {
    this.#waiting.push(event);
    this.#waitingBytes += event.bytes.length;
    this.records += 1;
    this.bytes += event.bytes.length;
    if (!event.lazy) this.#eager += 1;
  }

  /** The next batch, out of the waiting ones: all of them where the limits allow. */
  take(): readonly QueuedEvent[] {
    const { batchRecordsMax, batchBytesMax } = this.limits;
    const all = this.#waiting;
    if (all.length <= batchRecordsMax && this.#waitingBytes <= batchBytesMax) {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#eager = 0;
      return all;
    }
    const batch = all.splice(0, this.#cut());
    for (const event of batch) {
      this.#waitingBytes -= event.bytes.length;
      if (!event.lazy) this.#eager -= 1;
    }
    return batch;
  }

  /** How many fit; a call's events are not torn apart unless they alone are too many. */
  #cut(): number {
    const { batchRecordsMax, batchBytesMax } = this.limits;
    let fit = 0;
    let bytes = 0;
    for (const event of this.#waiting) {
      bytes += event.bytes.length;
      if (fit === batchRecordsMax || (bytes > batchBytesMax && fit > 0)) break;
      fit += 1;
    }
    let whole = fit;
    while (whole > 0 && this.#waiting[whole - 1]!.joined) whole -= 1;
    return whole > 0 ? whole : fit;
  }

  settle(events: readonly QueuedEvent[]): void {
    this.records -= events.length;
    for (const event of events) this.bytes -= event.bytes.length;
  }

  *unsettled(underway: readonly QueuedEvent[] = []): Generator<QueuedEvent> {
    yield* underway;
    yield* this.#waiting;
  }
}

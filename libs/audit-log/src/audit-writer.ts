import type { EventData, EventType } from '#libs/audit-events';

export interface AppendReceipt {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Wall clock of the process when the acknowledgement arrived, Unix ms. */
  readonly acknowledgedAtMs: number;
}

export interface AppendOptions {
  /** True for an event that asks to begin something: refused at once when the queue is full or the log is late. */
  readonly admission: boolean;
  /** How long this caller waits before it is told `log_unavailable`; the writer's default where absent. */
  readonly deadlineMs?: number;
  /**
   * True for an event nobody waits for before acting (a closing record): it rides along with the next batch, or
   * goes after 10 ms at most, so that its sync never stands before the next admission.
   */
  readonly lazy?: boolean;
}

/** What a room that writes events sees; `AuditWriter` (audit-writer.service.ts) is the one implementation. */
export interface EventAppender {
  readonly writerId: string;
  /**
   * Chains, queues and waits for durability. Rejects `log_queue_full` at once when the bound is reached and
   * `admission` is set, and `log_unavailable` when the deadline passes: the event stays queued, is repeated until
   * acknowledged, and may therefore still land (late admission).
   * Events that only follow an admitted one (`admission: false`) are always queued: their number is bounded by it.
   */
  append<T extends EventType>(
    type: T,
    subject: string,
    data: EventData[T],
    options: AppendOptions,
  ): Promise<AppendReceipt>;
  /**
   * As `append`, for several events in one go (contiguous wseq, one durable batch where it fits); the receipt is
   * that of the last one.
   */
  appendAll(
    events: readonly {
      readonly type: EventType;
      readonly subject: string;
      readonly data: EventData[EventType];
    }[],
    options: AppendOptions,
  ): Promise<AppendReceipt>;
  /** False while an append has been unacknowledged past its deadline: new requests get 503 until it is. */
  readonly accepting: boolean;
}

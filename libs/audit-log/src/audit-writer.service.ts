import { setImmediate, clearTimeout, setTimeout } from 'node:timers';
import { WriterChain, type EventData, type EventType } from '#libs/audit-events';
import { uuidV7, writerId, type WriterId } from '#libs/kernel';
import type { BatchReceipt } from './append-log.js';
import type { AuditWriterOptions } from './audit-writer-options.js';
import type { AppendOptions, AppendReceipt, EventAppender } from './audit-writer.js';
import { auditLogError, isFatalToWriter } from './errors.js';
import { partitionOf } from './partition-of.js';
import { Standstill } from './standstill.js';
import { WriterQueue, type QueuedEvent } from './writer-queue.js';

interface Sending {
  readonly events: readonly QueuedEvent[];
  readonly sinceMs: number;
  readonly firstWseq: number;
}

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
const LINGER_MAX_MS = 10;
/** Nobody waits for a process that starts: a log that is slow for a moment must not end it. */
const START_DEADLINE_MS = 30_000;
/** Grain of the deadline sweep: a waiter is told at most this much late. One timer serves all waiters. */
const SWEEP_MS = 25;

/**
 * The one writer of events in a process: chains each event, gathers what comes while a batch is under way
 * (natural group commit: one batch in flight), repeats a failed batch with the same bytes until it is
 * acknowledged, and tells a waiter in time when that takes too long.
 */
export class AuditWriter implements EventAppender {
  readonly writerId: WriterId;
  readonly partition: number;
  readonly #chain: WriterChain;
  readonly #queue: WriterQueue;
  readonly #defaultDeadlineMs: number;
  readonly #lingerMs: number;
  #sending: Sending | undefined;
  #flushing = false;
  #state: 'new' | 'open' | 'stopped' | 'fatal' = 'new';
  #fatal: Error | undefined;
  #ended = false;
  #standstill: Standstill | undefined;
  #heartbeatUnderway = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;
  #sweep: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(private readonly options: AuditWriterOptions) {
    this.writerId = options.writerId ?? writerId(`${options.app}-${uuidV7(options.clock.nowMs())}`);
    this.partition = partitionOf(this.writerId, options.log.partitionsPerTopic);
    this.#chain = new WriterChain(this.writerId);
    this.#queue = new WriterQueue({
      recordsMax: options.queueRecordsMax ?? 10_000,
      bytesMax: options.queueBytesMax ?? 32 * 1024 * 1024,
      batchRecordsMax: options.batchRecordsMax ?? 1_000,
      batchBytesMax: Math.min(options.batchBytesMax ?? 512 * 1024, options.log.batchBytesMax),
    });
    this.#defaultDeadlineMs = options.defaultDeadlineMs ?? 2_000;
    this.#lingerMs = Math.min(options.lingerMs ?? LINGER_MAX_MS, LINGER_MAX_MS);
  }

  get accepting(): boolean {
    if (this.#state !== 'open') return false;
    const head = this.#sending;
    return (
      head === undefined ||
      this.options.clock.monotonicMs() - head.sinceMs <= this.#defaultDeadlineMs
    );
  }

  /** Unacknowledged records and bytes, for metrics. */
  get backlog(): { readonly records: number; readonly bytes: number } {
    return { records: this.#queue.records, bytes: this.#queue.bytes };
  }

  /** Opens the chain with `custos.writer.started.v1` (wseq 0) and waits for it; then heartbeats. */
  async start(deadlineMs = START_DEADLINE_MS): Promise<AppendReceipt> {
    if (this.#state !== 'new') throw auditLogError('writer_stopped', 'a writer starts once');
    this.#state = 'open';
    const { app, clock, heartbeatMs } = this.options;
    const at = new Date(clock.nowMs()).toISOString();
    const started = this.append(
      'custos.writer.started.v1',
      this.writerId,
      { app, at },
      { admission: false, deadlineMs },
    );
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs ?? 2_000);
    this.#heartbeat.unref();
    return started;
  }

  /**
   * Closes the chain with `custos.writer.stopped.v1` and waits until everything is acknowledged. Rejects
   * `log_unavailable` at the deadline: the sweeper will then find the writer silent and close its tail.
   */
  async stop(deadlineMs = 5_000): Promise<void> {
    if (this.#state !== 'open') {
      this.#end();
      return;
    }
    try {
      const stopped = this.append('custos.writer.stopped.v1', this.writerId, this.#said(), {
        admission: false,
        deadlineMs,
      });
      this.#state = 'stopped';
      await stopped;
    } finally {
      this.#state = 'stopped';
      this.#end();
    }
  }

  append<T extends EventType>(
    type: T,
    subject: string,
    data: EventData[T],
    options: AppendOptions,
  ): Promise<AppendReceipt> {
    return this.appendAll([{ type, subject, data }], options);
  }

  appendAll(
    events: readonly {
      readonly type: EventType;
      readonly subject: string;
      readonly data: EventData[EventType];
    }[],
    options: AppendOptions,
  ): Promise<AppendReceipt> {
    const refusal = this.#refuse(options.admission, events.length);
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const { clock } = this.options;
      const mark = this.#chain.mark();
      const timeMs = clock.nowMs();
      try {
        // All or none enters the queue: an oversized event takes its predecessors back out of the chain.
        const chained = events.map((e) => this.#chain.next(e.type, e.subject, timeMs, e.data));
        const last = chained.length - 1;
        const nowMs = clock.monotonicMs();
        const lazy = options.lazy === true;
        chained.forEach(({ bytes, wseq }, i) =>
          this.#queue.push({
            bytes,
            wseq,
            lazy,
            joined: i < last,
            waiter:
              i < last
                ? undefined
                : {
                    deadlineAtMs: nowMs + (options.deadlineMs ?? this.#defaultDeadlineMs),
                    resolve,
                    reject,
                  },
          }),
        );
      } catch (error) {
        this.#chain.rewind(mark);
        throw error;
      }
      this.#sweep ??= setTimeout(() => this.#expire(), SWEEP_MS);
      this.#schedule();
    });
  }

  #refuse(admission: boolean, records: number): Error | undefined {
    const { log, clock } = this.options;
    // From the first admission on: before it nothing can leave, and a start may hold its own loop up for long.
    if (admission && log.standstillMaxMs !== undefined && this.#state === 'open')
      this.#standstill ??= new Standstill(clock, log.standstillMaxMs);
    this.#dieOfStandstill();
    if (this.#state === 'fatal') return this.#fatal;
    if (this.#state !== 'open' || records === 0)
      return auditLogError('writer_stopped', 'the writer is not open');
    if (!admission) return undefined;
    if (this.#queue.full) return auditLogError('log_queue_full', 'too many records wait');
    if (!this.accepting)
      return auditLogError('log_unavailable', 'an earlier append is not acknowledged');
    return undefined;
  }

  /** Nothing under way: eager events go at the end of this loop turn, lazy ones after the linger. */
  #schedule(): void {
    if (this.#sending !== undefined || this.#flushing) return;
    if (this.#queue.hasEager) {
      this.#flushing = true;
      setImmediate(() => this.#flush());
    } else if (this.#queue.waiting > 0) {
      this.#linger ??= setTimeout(() => this.#flush(), this.#lingerMs);
    }
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#linger !== undefined) clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#sending !== undefined || this.#dieOfStandstill()) return;
    const events = this.#queue.take();
    if (events.length === 0) return;
    this.#sending = {
      events,
      sinceMs: this.options.clock.monotonicMs(),
      firstWseq: events[0]!.wseq,
    };
    void this.#send(this.#sending, 1);
  }

  async #send(sending: Sending, attempt: number): Promise<void> {
    if (this.#dieOfStandstill()) return;
    const { log, topic } = this.options;
    let receipt: BatchReceipt;
    try {
      receipt = await log.appendBatch({
        topic,
        partition: this.partition,
        writer: this.writerId,
        firstWseq: sending.firstWseq,
        values: sending.events.map((e) => e.bytes),
      });
    } catch (error) {
      if (this.#ended) return; // given up: nobody waits, and a timer would keep the process alive
      if (isFatalToWriter(error)) return this.#die(error);
      this.options.onRetry?.(error, attempt);
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt - 1, 10));
      this.#retry = setTimeout(() => void this.#send(sending, attempt + 1), waitMs);
      return;
    }
    this.#acknowledge(sending, receipt);
  }

  #acknowledge(sending: Sending, { baseOffset, offsets }: BatchReceipt): void {
    // Whoever waits would go on to act on it, and must not: others may have closed what it left open.
    if (this.#dieOfStandstill()) return;
    const { clock, topic, onAck } = this.options;
    const acknowledgedAtMs = clock.nowMs();
    this.#sending = undefined;
    this.#queue.settle(sending.events);
    onAck?.(clock.monotonicMs() - sending.sinceMs, sending.events.length);
    const { events } = sending;
    for (let i = 0; i < events.length; i++) {
      const { waiter } = events[i]!;
      waiter?.resolve({
        topic,
        partition: this.partition,
        offset: offsets?.[i] ?? baseOffset + BigInt(i),
        acknowledgedAtMs,
      });
    }
    // Eager events have waited for this acknowledgement: they go at once.
    if (this.#queue.hasEager) this.#flush();
    else this.#schedule();
  }

  /** Tells every waiter past its deadline. Its event stays queued and may still land (late admission). */
  #expire(): void {
    this.#sweep = undefined;
    const nowMs = this.options.clock.monotonicMs();
    let waiting = false;
    for (const event of this.#queue.unsettled(this.#sending?.events)) {
      const { waiter } = event;
      if (waiter === undefined) continue;
      if (waiter.deadlineAtMs > nowMs) {
        waiting = true;
        continue;
      }
      event.waiter = undefined;
      waiter.reject(auditLogError('log_unavailable', 'not acknowledged within the deadline'));
    }
    if (waiting) this.#sweep = setTimeout(() => this.#expire(), SWEEP_MS);
  }

  #said() {
    const { app, clock, inFlight, takeReleasedLeases } = this.options;
    const releasedLeases = takeReleasedLeases?.() ?? [];
    return {
      app,
      at: new Date(clock.nowMs()).toISOString(),
      ...(inFlight === undefined ? {} : { inFlight: inFlight() }),
      ...(releasedLeases.length === 0 ? {} : { releasedLeases }),
    };
  }

  #beat(): void {
    // One heartbeat under way at most: during an outage they would only pile up.
    if (this.#heartbeatUnderway || this.#state !== 'open') return;
    const queuedAtMs = this.options.clock.monotonicMs();
    this.#heartbeatUnderway = true;
    void this.append('custos.writer.heartbeat.v1', this.writerId, this.#said(), {
      admission: false,
      lazy: true,
      deadlineMs: Number.MAX_SAFE_INTEGER - queuedAtMs,
    }).then(
      () => (this.#heartbeatUnderway = false),
      () => (this.#heartbeatUnderway = false),
    );
  }

  /** True once it must not write any more. On a log that cannot refuse a retired writer, it must refuse itself. */
  #dieOfStandstill(): boolean {
    if (this.#state === 'fatal') return true;
    const stoodMs = this.#ended ? undefined : this.#standstill?.look();
    if (stoodMs === undefined) return false;
    const details = { writer: this.writerId, stoodMs: Math.round(stoodMs) };
    this.#die(
      auditLogError('writer_retired', 'stood still for so long that it counts as dead', details),
    );
    return true;
  }

  #die(error: Error): void {
    this.#state = 'fatal';
    this.#fatal = error;
    this.#end(error);
    this.options.onFatal?.(error);
  }

  /** No timer stays, nobody waits for ever. */
  #end(reason: Error = auditLogError('writer_stopped', 'the writer was stopped')): void {
    this.#ended = true;
    this.#standstill?.end();
    clearInterval(this.#heartbeat);
    for (const timer of [this.#linger, this.#sweep, this.#retry])
      if (timer !== undefined) clearTimeout(timer);
    for (const event of this.#queue.unsettled(this.#sending?.events)) {
      event.waiter?.reject(reason);
      event.waiter = undefined;
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendLog, EventAppender } from '#libs/audit-log';
import type { Clock } from '#libs/kernel';
import type { SweepQueries, WriterSeen } from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';
import { recoveredClose } from './recovered-close.js';
import { SilenceWatch } from './silence-watch.js';

/** Closes per append: some 500 B each, well below a batch's bytes. */
const CLOSES_PER_APPEND = 200;
const TICK_MAX_MS = 5_000;
/** A sweep that is behind the log gives way to the next. */
const CATCH_UP_MS = 2_000;
const APPEND_DEADLINE_MS = 5_000;
/** Between two looks whether the books have caught up after a start. */
const AT_ONCE_PAUSE_MS = 100;

export interface SweeperOptions {
  readonly consumer: LedgerConsumer;
  readonly queries: SweepQueries;
  readonly log: AppendLog;
  readonly audit: EventAppender;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Silence after which a writer counts as dead, ms of our own monotonic clock. Many heartbeats long. */
  readonly writerSilentMs: number;
}

/** Writers known dead by other means than their silence. */
export interface KnownDead {
  /** Writers of the living: never touched. */
  readonly except: readonly string[];
  /** Only writers last seen before this, Unix ms of the log's time. */
  readonly seenBeforeMs: number;
}

/**
 * Closes what a crash left open, only through the log. A writer is dead when it has been silent for the stated time, the
 * log itself was not, and everything the log holds is in the books. A close that still arrives becomes a correction.
 */
export class Sweeper {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #stopped = false;
  #knownDead: KnownDead | undefined;
  readonly #silence: SilenceWatch;

  constructor(private readonly options: SweeperOptions) {
    this.#silence = new SilenceWatch(options.writerSilentMs);
  }

  start(): void {
    const tickMs = Math.min(TICK_MAX_MS, Math.max(200, this.options.writerSilentMs / 3));
    this.#timer ??= setInterval(() => void this.sweep(), tickMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /**
   * Retires whoever was last seen before and is not excepted, as soon as the books have caught up with the log: for the
   * next boot of one data directory. Resolves when that is done, or when the sweeper stops.
   */
  async retireAtOnce(dead: KnownDead): Promise<void> {
    this.#knownDead = dead;
    for (;;) {
      await this.sweep();
      if (this.#knownDead !== dead || this.#stopped) return;
      await sleep(AT_ONCE_PAUSE_MS);
    }
  }

  /** One sweep; at most one runs at a time. Never throws: the next one tries again. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => {
        this.#silence.failed(this.options.clock.monotonicMs());
        this.options.logger.warn('ledger.sweep_failed', describeError(error));
      })
      .finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { consumer, queries, log, clock } = this.options;
    if (consumer.role !== 'leader') {
      this.#silence.forget();
      return;
    }
    await consumer.settleLate();
    if (!(await consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS))) return;
    const living = await queries.livingWriters();
    const known = this.#knownDead;
    const dead = this.#deadOf(living, known, clock.monotonicMs());
    if (dead.length > 0 && !(await this.#retire(dead))) return;
    if (this.#knownDead === known) this.#knownDead = undefined;
    await this.#closeAbandoned();
  }

  #deadOf(
    living: readonly WriterSeen[],
    known: KnownDead | undefined,
    monotonicMs: number,
  ): readonly WriterSeen[] {
    const { audit } = this.options;
    const silent = new Set(this.#silence.look(living, monotonicMs));
    return living.filter((w) => {
      if (w.writer === audit.writerId) return false;
      if (known !== undefined && !known.except.includes(w.writer))
        if (w.lastSeenAtMs < known.seenBeforeMs) return true;
      return silent.has(w);
    });
  }

  /** False where the books did not catch up in time: the next sweep tries again. */
  async #retire(dead: readonly WriterSeen[]): Promise<boolean> {
    const { log, consumer, queries, audit, clock, logger } = this.options;
    for (const { writer } of dead) await log.retireWriter(writer);
    // What landed before the log refused it must be in the books before its end is told.
    if (!(await consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS))) return false;
    const now = new Map((await queries.livingWriters()).map((w) => [w.writer, w.lastWseq]));
    const at = new Date(clock.nowMs()).toISOString();
    for (const { writer, lastWseq } of dead) {
      await audit.append(
        'custos.writer.retired.v1',
        writer,
        { retiredWriter: writer, lastWseq: now.get(writer) ?? lastWseq, reason: 'silent', at },
        { admission: false, deadlineMs: APPEND_DEADLINE_MS },
      );
      logger.warn('ledger.writer_retired', { writer });
    }
    return consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS);
  }

  /** Whoever has ended, however, leaves nothing open. */
  async #closeAbandoned(): Promise<void> {
    const { queries, audit, consumer, log, clock, logger } = this.options;
    for (;;) {
      const open = await queries.abandoned([], CLOSES_PER_APPEND);
      if (open.length === 0) return;
      const at = new Date(clock.nowMs()).toISOString();
      await audit.appendAll(
        open.map((generation) => ({
          type: 'custos.generation.closed.v1' as const,
          subject: generation.id,
          data: recoveredClose(generation, at),
        })),
        { admission: false, deadlineMs: APPEND_DEADLINE_MS },
      );
      logger.info('ledger.recovered', { generations: open.length });
      // Not before these are folded is it known what is still open.
      if (!(await consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS))) return;
    }
  }
}

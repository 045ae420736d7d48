import { setTimeout as sleep } from 'node:timers/promises';
import type { PeriodClosed } from '#libs/audit-events';
import type { AppendLog, EventAppender } from '#libs/audit-log';
import type { Clock } from '#libs/kernel';
import { graceEndsMs, monthAfter } from '#libs/ledger';
import type { SayQueries, SweepQueries } from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';

/** Often enough that a difference is known within seconds, and nothing beside a batch's cost. */
const EVERY_MS = 5_000;
/** Events of some 500 B per append, well below a batch's bytes. */
const SAYINGS_PER_APPEND = 100;
const CATCH_UP_MS = 5_000;
const APPEND_DEADLINE_MS = 5_000;

export interface AnnouncerOptions {
  readonly consumer: Pick<LedgerConsumer, 'role' | 'caughtUp'>;
  readonly queries: SayQueries;
  readonly positions: Pick<SweepQueries, 'positions'>;
  readonly log: Pick<AppendLog, 'id' | 'endOffsets'>;
  /** A writer on the topic of what the ledger says. */
  readonly voice: EventAppender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly everyMs?: number;
}

/**
 * Says through the log what follows from the log: costs that differ, months that close. Only the leader says anything,
 * and only when all that the log holds is in the books, its own earlier words too: so each is said once, whatever
 * crashes in between. What it says is sealed like any other record and rated never.
 */
export class Announcer {
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(private readonly options: AnnouncerOptions) {}

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { everyMs = EVERY_MS, logger } = this.options;
    while (!signal.aborted) {
      const said = await this.announce().catch((error: unknown) => {
        logger.warn('ledger.announce_failed', describeError(error));
        return 0;
      });
      if (said < SAYINGS_PER_APPEND)
        await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Says what is owed, a bounded part of it. Returns how many records that were. */
  async announce(): Promise<number> {
    if (!(await this.#maySpeak())) return 0;
    return (await this.#sayDifferences()) || (await this.#closeMonth());
  }

  async #maySpeak(): Promise<boolean> {
    const { consumer, log } = this.options;
    if (this.#stopping.signal.aborted || consumer.role !== 'leader') return false;
    return consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS);
  }

  async #sayDifferences(): Promise<number> {
    const { queries, voice, logger } = this.options;
    const unsaid = await queries.unsaid(SAYINGS_PER_APPEND);
    if (unsaid.length === 0) return 0;
    await voice.appendAll(
      unsaid.map(({ subject, data }) => ({
        type: 'custos.ledger.cost_differed.v1' as const,
        subject,
        data,
      })),
      { admission: false, deadlineMs: APPEND_DEADLINE_MS },
    );
    logger.warn('ledger.costs_differ', { attempts: unsaid.length });
    return unsaid.length;
  }

  /**
   * A month closes when the log's clock and ours have both passed its grace time and nothing in it waits for a price. For what is
   * closed stays closed: one clock that is wrong for a moment must not do that to the years until then.
   */
  async #closeMonth(): Promise<number> {
    const { queries, positions, log, voice, clock, logger } = this.options;
    const period = await queries.monthToClose();
    if (period === undefined) return 0;
    if (Math.min(await queries.logTimeMs(), clock.nowMs()) < graceEndsMs(period)) return 0;
    if (await queries.unratedBefore(new Date(`${monthAfter(period)}-01T00:00:00.000Z`))) {
      logger.warn('ledger.month_waits', { period, reason: 'a price book is missing' });
      return 0;
    }
    const through = (await positions.positions(log.id)).map((p) => ({
      topic: p.topic,
      partition: p.partition,
      next: p.next.toString(),
    }));
    const data: PeriodClosed = {
      period,
      at: new Date(clock.nowMs()).toISOString(),
      logId: log.id,
      through,
    };
    await voice.append('custos.ledger.period_closed.v1', period, data, {
      admission: false,
      deadlineMs: APPEND_DEADLINE_MS,
    });
    logger.info('ledger.month_closed', { period });
    return 1;
  }
}

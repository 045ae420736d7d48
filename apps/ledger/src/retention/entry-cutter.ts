import type { AppendLog } from '#libs/audit-log';
import type { Clock } from '#libs/kernel';
import type { RetentionQueries } from '#libs/ledger-store';
import type { Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';

const CATCH_UP_MS = 2_000;

export interface EntryCutterOptions {
  readonly consumer: Pick<LedgerConsumer, 'role' | 'caughtUp' | 'asLeader'>;
  readonly queries: Pick<RetentionQueries, 'monthToCut' | 'stageCut' | 'finishCut'>;
  readonly log: Pick<AppendLog, 'endOffsets'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly logger: Logger;
}

/**
 * Cuts the entries at the turn of a month, by the log's clock and ours: so each month is whole partitions, whether or not there is
 * a policy yet that will let them go. Only with everything that the log holds in the books, so that no record of the
 * month before comes after the cut.
 */
export class EntryCutter {
  /** The month whose halves wait for their place. */
  #staged = '';
  #turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: EntryCutterOptions) {}

  /** Cuts one month if one is due. True when it did. One after another: halves that are made anew are not put in place. */
  cutDue(): Promise<boolean> {
    const turn = this.#turn.then(() => this.#cutDue());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #cutDue(): Promise<boolean> {
    const { consumer, queries, log, clock, logger } = this.options;
    if (consumer.role !== 'leader') return false;
    const month = await queries.monthToCut(clock.nowMs());
    if (month === undefined) return false;
    if (!(await consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS))) return false;
    if (this.#staged !== month) await queries.stageCut(month);
    this.#staged = '';
    const cut = await consumer.asLeader((client) => queries.finishCut(client, month));
    if (cut === undefined) this.#staged = month;
    if (cut === undefined) return false;
    logger.info('ledger.entries_cut', { month, boundary: cut.boundary.toString() });
    return true;
  }
}

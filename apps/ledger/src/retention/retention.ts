import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppendLog, EventAppender } from '#libs/audit-log';
import { DomainError, type Clock } from '#libs/kernel';
import type { AgedPart, Removal, RetentionQueries } from '#libs/ledger-store';
import { describeError, type Logger } from '#libs/platform';
import type { LedgerConsumer } from '../consume/ledger-consumer.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import { EntryCutter } from './entry-cutter.js';
import { LogForgetter, type LogOutcome } from './log-forgetter.js';
import type { RetentionPolicy } from './retention-policy.js';

/** How soon the turn of a month is noticed: what came since has to be moved. */
const LOOK_MS = 5_000;
const RUN_EVERY_MS = 24 * 60 * 60_000;
const FIRST_RUN_MS = 60_000;
/** After a run that a reader, or a fault, kept from its end. */
const RETRY_MS = 10 * 60_000;
const CATCH_UP_MS = 30_000;
const APPEND_DEADLINE_MS = 5_000;
/** Of some 250 B each in one record of at most 16 KiB. */
const RANGES_PER_RECORD = 40;
/** Partitions looked at in one query, and removed in one run. */
const PARTS_MAX = 400;

/** What a run would do now. */
export interface RetentionPlan {
  readonly policyDigest: string;
  /** Older than this may go, RFC 3339. */
  readonly before: string;
  readonly removable: readonly AgedPart[];
  readonly held: readonly AgedPart[];
  /** Names the plan: what is applied is what was looked at. */
  readonly digest: string;
}

export interface RetentionOutcome {
  readonly removed: number;
  /** Ranges that stayed, and why. */
  readonly stayed: readonly {
    readonly firstLeaf: string;
    readonly endLeaf: string;
    readonly why: Exclude<Removal, 'removed'>;
  }[];
  readonly documents: number;
  readonly log: LogOutcome;
}

export interface RetentionOptions {
  /** Without one nothing is ever removed. */
  readonly policy: RetentionPolicy | undefined;
  readonly queries: RetentionQueries;
  readonly consumer: Pick<LedgerConsumer, 'role' | 'caughtUp' | 'asLeader'>;
  readonly log: Pick<AppendLog, 'endOffsets'>;
  /** The ledger's writer on the topic of what it says. */
  readonly voice: EventAppender | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Lets go what the policy no longer keeps: first it is said in the log, then it is done, by the leader alone and with the
 * log read to its end, so that no hold is overlooked. A crash between leaves what the next run finds said and does.
 */
export class Retention {
  readonly cutter: EntryCutter;
  readonly forgetter: LogForgetter;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #applying: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: RetentionOptions) {
    this.cutter = new EntryCutter(options);
    this.forgetter = new LogForgetter(options.queries, this.#stopping.signal, () =>
      this.#mayRemove(),
    );
  }

  get policy(): RetentionPolicy | undefined {
    return this.options.policy;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#applying.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { clock, logger, consumer, policy } = this.options;
    const { signal } = this.#stopping;
    let nextRunMs = clock.monotonicMs() + FIRST_RUN_MS;
    while (!signal.aborted) {
      try {
        while (!signal.aborted && (await this.cutter.cutDue()));
        if (consumer.role === 'leader') await this.forgetter.sweep();
        if (policy && consumer.role === 'leader' && clock.monotonicMs() >= nextRunMs) {
          nextRunMs = clock.monotonicMs() + RETRY_MS;
          const { stayed } = await this.apply('system:retention');
          if (!stayed.some((s) => s.why === 'in_use'))
            nextRunMs = clock.monotonicMs() + RUN_EVERY_MS;
        }
      } catch (error) {
        logger.warn('ledger.retention_failed', describeError(error));
      }
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Undefined without a policy in effect. */
  async plan(): Promise<RetentionPlan | undefined> {
    const { policy, queries, clock } = this.options;
    const before = policy?.before(clock.nowMs());
    if (policy === undefined || before === undefined) return undefined;
    const removable: AgedPart[] = [];
    const held: AgedPart[] = [];
    // What holds keep must not hide what nothing keeps: it is looked on until there is something to do.
    for (let after = 0n, isMore = true; isMore && removable.length === 0;) {
      const aged = await queries.aged(before, PARTS_MAX, after);
      for (const part of aged) (part.hold === undefined ? removable : held).push(part);
      isMore = aged.length === PARTS_MAX;
      after = aged.at(-1)?.end ?? after;
    }
    const named = { policy: policy.digest, before, ranges: removable.map((part) => part.range) };
    return {
      policyDigest: policy.digest,
      before,
      removable,
      held,
      digest: `sha256:${createHash('sha256').update(JSON.stringify(named)).digest('hex')}`,
    };
  }

  /**
   * One run after another. `planned`: the digest of the plan that somebody has seen. Throws `retention_changed` where it
   * is another one by now, `retention_unavailable` without a policy in effect, or where another process leads.
   */
  apply(author: string, planned?: string): Promise<RetentionOutcome> {
    const run = this.#applying.catch(() => undefined).then(() => this.#apply(author, planned));
    this.#applying = run;
    return run;
  }

  async #apply(author: string, planned: string | undefined): Promise<RetentionOutcome> {
    await this.#mayRemove();
    const plan = await this.plan();
    if (plan === undefined) throw unavailable('There is no retention policy in effect.');
    if (planned !== undefined && planned !== plan.digest)
      throw new DomainError<LedgerAppErrorCode>(
        'retention_changed',
        'The plan is another one by now: look at it again.',
      );
    await this.#say(author, plan);
    const stayed: RetentionOutcome['stayed'][number][] = [];
    let removed = 0;
    for (const part of plan.removable) {
      if (this.#stopping.signal.aborted) break;
      await this.#mayRemove();
      const removal = await this.options.queries.remove(part);
      if (removal === 'removed') removed += 1;
      else stayed.push({ ...ends(part), why: removal });
    }
    for (const rest of await this.options.queries.rests()) {
      if (this.#stopping.signal.aborted) break;
      await this.#mayRemove();
      await this.options.queries.remove(rest);
    }
    for (const part of plan.held) stayed.push({ ...ends(part), why: 'held' });
    const documents = await this.#removeDocuments(plan.before);
    const log = await this.forgetter.forget();
    if (removed > 0 || documents > 0 || log.forgotten > 0)
      this.options.logger.warn('ledger.retention_applied', {
        author,
        ranges: removed,
        documents,
        logRanges: log.forgotten,
      });
    return { removed, stayed, documents, log };
  }

  /** Says what is to go, as far as the log does not have it yet. */
  async #say(author: string, { policyDigest, before, removable }: RetentionPlan): Promise<void> {
    const { queries, voice, clock } = this.options;
    if (voice === undefined) throw unavailable('This ledger has no voice in the log.');
    const unsaid: AgedPart[] = [];
    for (const part of removable) if (!(await queries.isRecorded(part))) unsaid.push(part);
    for (let i = 0; i < unsaid.length; i += RANGES_PER_RECORD) {
      const ranges = unsaid.slice(i, i + RANGES_PER_RECORD).map((part) => part.range);
      await voice.append(
        'custos.retention.applied.v1',
        'retention',
        { at: new Date(clock.nowMs()).toISOString(), author, policyDigest, before, ranges },
        { admission: false, deadlineMs: APPEND_DEADLINE_MS },
      );
    }
    if (unsaid.length > 0) await this.#mayRemove();
  }

  async #removeDocuments(before: string): Promise<number> {
    const { queries } = this.options;
    const record = await queries.newestRecord();
    if (record === undefined) return 0;
    // A policy that keeps longer than the one before it binds at once.
    const least = record.before < before ? record.before : before;
    return queries.removeDocuments({ ...record, before: least }, this.#stopping.signal);
  }

  /** Throws unless this process leads and has read everything that the log holds, holds among it. */
  async #mayRemove(): Promise<void> {
    const { consumer, log } = this.options;
    if (consumer.role !== 'leader') throw unavailable('Another process leads this ledger.');
    if (!(await consumer.caughtUp(await log.endOffsets(), CATCH_UP_MS)))
      throw unavailable('The books have not caught up with the log.');
  }
}

const ends = ({ range: { firstLeaf, endLeaf } }: AgedPart) => ({ firstLeaf, endLeaf });

const unavailable = (message: string): DomainError =>
  new DomainError<LedgerAppErrorCode>('retention_unavailable', message);

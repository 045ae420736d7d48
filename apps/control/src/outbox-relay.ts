import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DataSource, IsNull } from 'typeorm';
import { describeError } from '#libs/platform';
import { applyChange } from './apply-change.js';
import { recordOf } from './changes.js';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { OutboxRowEntity } from './entities/index.js';
import { readPrincipals } from './read-principals.js';

/** Changes of another process of control, and rows left by a crash, are seen within this time. */
const POLL_MS = 1_000;
/** The record stays queued in the writer until acknowledged: asked once, waited for as long as it takes. */
const APPEND_DEADLINE_MS = 2 ** 40;

/**
 * Brings decided changes to the log, in order, one at a time: only after the acknowledgement a change is applied
 * and the new snapshot published. After a crash between the two the record is written once more, which harms nobody:
 * it bears the same `changeId`, and a row is applied once.
 */
@Injectable()
export class OutboxRelay implements OnModuleInit, OnApplicationShutdown {
  #appliedSeq = -1n;
  #stopped = false;
  #fault: string | undefined;
  #asked = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(
    @Inject(CONTROL_OPTIONS) private readonly options: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.#publish();
    this.options.health?.register('control outbox', () => this.#fault);
    this.#loop = this.#run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    // A record that the log does not acknowledge is waited for by nobody: the next start repeats it.
    await Promise.race([
      this.#loop,
      new Promise((resolve) => setTimeout(resolve, POLL_MS).unref()),
    ]);
    await this.database.destroy();
  }

  /** True once the row has taken effect; false when it has not within the deadline. */
  applied(seq: bigint, deadlineMs: number): Promise<boolean> {
    this.#asked = true;
    this.#wake?.();
    return this.#until(() => this.#appliedSeq >= seq, deadlineMs);
  }

  /** True once no row waits; false when one still does at the deadline. */
  async idle(deadlineMs: number): Promise<boolean> {
    const [newest] = await this.database.manager.find(OutboxRowEntity, {
      where: { appliedAt: IsNull() },
      order: { seq: 'DESC' },
      take: 1,
    });
    return newest === undefined || this.applied(BigInt(newest.seq), deadlineMs);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let moved = false;
      try {
        moved = await this.#relayOne();
        if (!moved) await this.#publish();
        this.#fault = undefined;
      } catch (error) {
        this.#fault = 'the outbox cannot be relayed';
        if (!this.#stopped) this.options.logger.error('control.relay_failed', describeError(error));
      }
      if (!moved) await this.#pause();
    }
  }

  async #relayOne(): Promise<boolean> {
    const [row] = await this.database.manager.find(OutboxRowEntity, {
      where: { appliedAt: IsNull() },
      order: { seq: 'ASC' },
      take: 1,
    });
    if (row === undefined) return false;
    const { type, data } = recordOf(row);
    const receipt = await this.options.writer.append(type, data.subject, data, {
      admission: false,
      deadlineMs: APPEND_DEADLINE_MS,
    });
    await this.database.transaction(async (manager) => {
      // Another process may have been faster: the row decides who applies.
      const { affected } = await manager.update(
        OutboxRowEntity,
        { seq: row.seq, appliedAt: IsNull() },
        {
          appliedAt: new Date(),
          recordedIn: `${receipt.topic}/${receipt.partition}/${receipt.offset}`,
        },
      );
      if (affected === 1) await applyChange(manager, row.change);
    });
    await this.#publish();
    return true;
  }

  async #publish(): Promise<void> {
    const { snapshot, appliedSeq } = await this.database.transaction(
      'REPEATABLE READ',
      async (manager) => {
        const [last] = await manager.query<{ seq: string | null }[]>(
          'select max(seq) as seq from control.outbox where applied_at is not null',
        );
        const seq = BigInt(last?.seq ?? 0);
        if (seq === this.#appliedSeq) return { snapshot: undefined, appliedSeq: seq };
        return { snapshot: await readPrincipals(manager), appliedSeq: seq };
      },
    );
    const { principals } = this.options;
    if (snapshot !== undefined && principals.current()?.version !== snapshot.version)
      principals.publish(snapshot.version, snapshot);
    this.#appliedSeq = appliedSeq;
    for (const waiter of this.#waiters) waiter();
  }

  #pause(): Promise<void> {
    if (this.#asked) {
      // Asked while it was at work: it looks once more before it sleeps.
      this.#asked = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #until(condition: () => boolean, deadlineMs: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve(result);
      };
      const check = (): void => {
        if (condition()) settle(true);
      };
      const timer = setTimeout(() => settle(false), deadlineMs);
      this.#waiters.add(check);
    });
  }
}

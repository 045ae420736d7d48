import type { EntityManager } from 'typeorm';
import type { DecidedChange, OutboxOptions } from './outbox-options.js';

/** Changes of another process, and rows left by a crash, are seen within this time. */
const POLL_MS = 1_000;
/** The record stays queued in the writer until acknowledged: asked once, waited for as long as it takes. */
const APPEND_DEADLINE_MS = 2 ** 40;

const COLUMNS = 'seq, decided_at as "decidedAt", actor, change';

/**
 * Brings decided changes to the log, in order, one at a time: only after the acknowledgement a change is applied
 * and the new state published. After a crash between the two the record is written once more, which harms nobody:
 * it bears the same number, and a row is applied once.
 */
export class OutboxRelay<Change, State> {
  #appliedSeq = -1n;
  #stopped = false;
  #fault: string | undefined;
  #asked = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(private readonly options: OutboxOptions<Change, State>) {}

  async start(): Promise<void> {
    await this.#publish();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await Promise.race([
      this.#loop,
      new Promise((resolve) => setTimeout(resolve, POLL_MS).unref()),
    ]);
  }

  get fault(): string | undefined {
    return this.#fault;
  }

  /** True once the row has taken effect; false when it has not within the deadline. */
  applied(seq: bigint, deadlineMs: number): Promise<boolean> {
    this.#asked = true;
    this.#wake?.();
    return this.#until(() => this.#appliedSeq >= seq, deadlineMs);
  }

  /** True once no row waits; false when one still does at the deadline. */
  async idle(deadlineMs: number): Promise<boolean> {
    const [newest] = await this.options.database.query<{ seq: string }[]>(
      `select seq from ${this.options.table} where applied_at is null order by seq desc limit 1`,
    );
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
        if (!this.#stopped) this.options.onFault(error);
      }
      if (!moved) await this.#pause();
    }
  }

  async #relayOne(): Promise<boolean> {
    const { database, table, recordOf, writerFor } = this.options;
    const [decided] = await database.query<DecidedChange<Change>[]>(
      `select ${COLUMNS} from ${table} where applied_at is null order by seq limit 1`,
    );
    if (decided === undefined) return false;
    const record = recordOf(decided);
    const subject = 'subject' in record ? record.subject : record.data.subject;
    const receipt = await writerFor(decided).append(record.type, subject, record.data, {
      admission: false,
      deadlineMs: APPEND_DEADLINE_MS,
    });
    const place = `${receipt.topic}/${receipt.partition}/${receipt.offset}`;
    await database.transaction((manager) => this.#apply(manager, decided, place));
    await this.#publish();
    return true;
  }

  async #apply(
    manager: EntityManager,
    decided: DecidedChange<Change>,
    recordedIn: string,
  ): Promise<void> {
    const { table, apply } = this.options;
    // Another process may have been faster: the row decides who applies.
    const [, affected] = await manager.query<[unknown, number]>(
      `update ${table} set applied_at = $1, recorded_in = $2 where seq = $3 and applied_at is null`,
      [new Date(), recordedIn, decided.seq],
    );
    if (affected === 1) await apply(manager, decided);
  }

  async #publish(): Promise<void> {
    const { database, table, read, publish } = this.options;
    const found = await database.transaction('REPEATABLE READ', async (manager) => {
      const [last] = await manager.query<{ seq: string | null }[]>(
        `select max(seq) as seq from ${table} where applied_at is not null`,
      );
      const seq = BigInt(last?.seq ?? 0);
      return seq === this.#appliedSeq ? undefined : { seq, state: await read(manager) };
    });
    if (found !== undefined) {
      await publish(found.state);
      this.#appliedSeq = found.seq;
    }
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

import type { EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import type { AuditLogErrorCode } from '../errors.js';
import { demandReadable, keepable } from './demand-readable.js';
import type { OutboxOptions } from './outbox-options.js';
import { OutboxRelay } from './outbox-relay.js';

/** How long a caller waits for the log before it is told that the change is still on its way. */
const EFFECT_DEADLINE_MS = 5_000;
/** No change has a number that takes more room in its record. */
const LAST_SEQ = (2n ** 63n - 1n).toString();

/** False: decided and durable, but its record is not yet in the log; it takes effect as soon as it is. */
export interface Decided {
  readonly effective: boolean;
}

/** Names the changes, after looking at the state; no change at all is a decision too. */
export type Decide<Change> = (manager: EntityManager) => Promise<readonly Change[]>;

/**
 * Where commands leave what they decided. Administrative changes are rare and small: one decision at a time over all
 * processes that share the table, none while an earlier one is not in the log.
 */
export class Outbox<Change, State> {
  readonly #relay: OutboxRelay<Change, State>;
  readonly #deadlineMs: number;

  constructor(private readonly options: OutboxOptions<Change, State>) {
    this.#relay = new OutboxRelay(options);
    this.#deadlineMs = options.effectDeadlineMs ?? EFFECT_DEADLINE_MS;
  }

  /** Publishes the state as it is, then begins to relay. */
  start(): Promise<void> {
    return this.#relay.start();
  }

  /** Ends the relay; a record that the log does not acknowledge is repeated by the next start. */
  stop(): Promise<void> {
    return this.#relay.stop();
  }

  /** Why changes cannot be relayed at present, for readiness. */
  get fault(): string | undefined {
    return this.#relay.fault;
  }

  /**
   * One transaction: `decide` validates against the state and names the changes. While an earlier change is not in
   * the log the state is not settled, so that nothing can be decided: throws `changes_pending`. Nor is anything whose record
   * nobody could read, or the log would not take, so that it held up all that come after it: throws `change_unreadable`.
   */
  async decide(actor: string, decide: Decide<Change>): Promise<Decided> {
    const deadlineMs = Date.now() + this.#deadlineMs;
    for (;;) {
      const last = await this.options.database.transaction((manager) =>
        this.#write(manager, actor, decide),
      );
      if (last !== 'pending')
        return {
          effective: last === undefined || (await this.#relay.applied(last, this.#deadlineMs)),
        };
      if (Date.now() > deadlineMs || !(await this.#relay.idle(this.#deadlineMs)))
        throw new DomainError<AuditLogErrorCode>(
          'changes_pending',
          'An earlier change is not yet in the audit log.',
        );
    }
  }

  async #write(
    manager: EntityManager,
    actor: string,
    decide: Decide<Change>,
  ): Promise<bigint | 'pending' | undefined> {
    const { table, recordOf } = this.options;
    await manager.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [table]);
    const [{ pending } = { pending: false }] = await manager.query<{ pending: boolean }[]>(
      `select exists (select from ${table} where applied_at is null) as pending`,
    );
    if (pending) return 'pending';
    let last: bigint | undefined;
    for (const change of await decide(manager)) {
      const decidedAt = new Date();
      const kept = keepable(change);
      demandReadable(recordOf({ seq: LAST_SEQ, decidedAt, actor, change }));
      const [row] = await manager.query<{ seq: string }[]>(
        `insert into ${table} (decided_at, actor, change) values ($1, $2, $3) returning seq`,
        [decidedAt, actor, kept],
      );
      last = BigInt(row!.seq);
    }
    return last;
  }
}

import type { EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import type { AuditLogErrorCode } from '../errors.js';
import type { OutboxOptions } from './outbox-options.js';
import { OutboxRelay } from './outbox-relay.js';

/** How long a caller waits for the log before it is told that the change is still on its way. */
const EFFECT_DEADLINE_MS = 5_000;

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
   * the log the state is not settled, so that nothing can be decided: throws `changes_pending`.
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
    const { table } = this.options;
    await manager.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [table]);
    const [{ pending } = { pending: false }] = await manager.query<{ pending: boolean }[]>(
      `select exists (select from ${table} where applied_at is null) as pending`,
    );
    if (pending) return 'pending';
    let last: bigint | undefined;
    for (const change of await decide(manager)) {
      const [row] = await manager.query<{ seq: string }[]>(
        `insert into ${table} (decided_at, actor, change) values ($1, $2, $3) returning seq`,
        [new Date(), actor, JSON.stringify(change)],
      );
      last = BigInt(row!.seq);
    }
    return last;
  }
}

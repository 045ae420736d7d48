import { Inject, Injectable } from '@nestjs/common';
import { DataSource, IsNull, type EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import type { Change } from './changes.js';
import { CONTROL_OPTIONS, type ControlOptions } from './control-options.js';
import { OutboxRowEntity } from './entities/index.js';
import { OutboxRelay } from './outbox-relay.js';

/** Administrative changes are rare and small: one at a time, over all processes of control. */
const LOCK = `select pg_advisory_xact_lock(hashtextextended('custos.control.outbox', 0))`;
/** How long a caller waits for the log before it is told that the change is still on its way. */
const EFFECT_DEADLINE_MS = 5_000;

/** False: decided and durable, but its record is not yet in the log; it takes effect as soon as it is. */
export interface Decided {
  readonly effective: boolean;
}

/** Where commands leave what they decided. */
@Injectable()
export class Outbox {
  readonly #deadlineMs: number;

  constructor(
    @Inject(CONTROL_OPTIONS) options: ControlOptions,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(OutboxRelay) private readonly relay: OutboxRelay,
  ) {
    this.#deadlineMs = options.effectDeadlineMs ?? EFFECT_DEADLINE_MS;
  }

  /**
   * One transaction: `decide` validates against the state and names the changes. While an earlier change is not in
   * the log the state is not settled, so that nothing can be decided: throws `changes_pending`.
   */
  async decide(
    actor: string,
    decide: (manager: EntityManager) => Promise<readonly Change[]>,
  ): Promise<Decided> {
    const deadlineMs = Date.now() + this.#deadlineMs;
    for (;;) {
      const last = await this.database.transaction((manager) =>
        this.#write(manager, actor, decide),
      );
      if (last !== 'pending')
        return {
          effective: last === undefined || (await this.relay.applied(last, this.#deadlineMs)),
        };
      if (Date.now() > deadlineMs || !(await this.relay.idle(this.#deadlineMs)))
        throw new DomainError('changes_pending', 'An earlier change is not yet in the audit log.');
    }
  }

  async #write(
    manager: EntityManager,
    actor: string,
    decide: (manager: EntityManager) => Promise<readonly Change[]>,
  ): Promise<bigint | 'pending' | undefined> {
    await manager.query(LOCK);
    if (await manager.existsBy(OutboxRowEntity, { appliedAt: IsNull() })) return 'pending';
    let last: bigint | undefined;
    for (const change of await decide(manager)) {
      const { identifiers } = await manager.insert(OutboxRowEntity, {
        decidedAt: new Date(),
        actor,
        change,
      });
      last = BigInt(String(identifiers[0]!['seq']));
    }
    return last;
  }
}

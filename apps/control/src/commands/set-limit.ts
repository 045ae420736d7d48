import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { LimitScope } from '#libs/identity';
import { entityOf } from '../apply-change.js';
import { Outbox } from '../outbox.js';

/** A lifetime limit; null = unlimited. Below what is spent or held already it stops new requests at once. */
export class SetLimit extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly scope: LimitScope,
    readonly id: string,
    readonly limitPicoUsd: bigint | null,
  ) {
    super();
  }
}

@CommandHandler(SetLimit)
export class SetLimitHandler implements ICommandHandler<SetLimit> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, scope, id, limitPicoUsd }: SetLimit): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const row = await manager.findOneBy(entityOf(scope), { id });
      if (row === null) throw new DomainError('not_found', `There is no such ${scope}.`);
      if (row.limitPicoUsd === limitPicoUsd) return [];
      return [{ kind: 'limit.set', scope, id, limitPicoUsd: limitPicoUsd?.toString() ?? null }];
    });
  }
}

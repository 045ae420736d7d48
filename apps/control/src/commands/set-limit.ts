import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, type LimitReset } from '#libs/kernel';
import type { LimitScope } from '#libs/identity';
import { entityOf } from '../apply-change.js';
import type { Change } from '../changes.js';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';

/** What is absent stays as it is. */
export interface LimitPatch {
  /** Null = unlimited. */
  readonly limitPicoUsd?: bigint | null;
  /** How often it begins anew by the UTC calendar; null = never. */
  readonly limitReset?: LimitReset | null;
  /** Of an organisation: it can spend what it has bought in advance, and no more. */
  readonly prepaid?: boolean;
}

/** Below what is spent or held already in the running period it stops new requests at once. */
export class SetLimit extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly scope: LimitScope,
    readonly id: string,
    readonly patch: LimitPatch,
  ) {
    super();
  }
}

@CommandHandler(SetLimit)
export class SetLimitHandler implements ICommandHandler<SetLimit> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, scope, id, patch }: SetLimit): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const row = await manager.findOneBy(entityOf(scope), { id });
      if (row === null) throw new DomainError('not_found', `There is no such ${scope}.`);
      // Null is a value here: it lifts the limit.
      const limitPicoUsd = patch.limitPicoUsd === undefined ? row.limitPicoUsd : patch.limitPicoUsd;
      const limitReset = patch.limitReset === undefined ? row.limitReset : patch.limitReset;
      const changes: Change[] = [];
      if (row.limitPicoUsd !== limitPicoUsd || row.limitReset !== limitReset)
        changes.push({
          kind: 'limit.set',
          scope,
          id,
          limitPicoUsd: limitPicoUsd?.toString() ?? null,
          limitReset,
        });
      const { prepaid } = patch;
      if (row instanceof OrganisationEntity && prepaid !== undefined && row.prepaid !== prepaid)
        changes.push({ kind: 'organisation.payment_set', id, prepaid });
      return changes;
    });
  }
}

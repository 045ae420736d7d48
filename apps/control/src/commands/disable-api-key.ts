import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { ApiKeyEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';

/** For good: a disabled key is not enabled again, a new one is made. Disabling twice is one change. */
export class DisableApiKey extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
  ) {
    super();
  }
}

@CommandHandler(DisableApiKey)
export class DisableApiKeyHandler implements ICommandHandler<DisableApiKey> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, id }: DisableApiKey): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const key = await manager.findOneBy(ApiKeyEntity, { id });
      if (key === null) throw new DomainError('not_found', 'There is no such key.');
      if (key.disabled) return [];
      // Without one nobody could make another: an administrator makes administrators, an approver approvers.
      for (const role of ['admin', 'approver'] as const) {
        if (!key.roles.includes(role)) continue;
        const others = await manager
          .createQueryBuilder(ApiKeyEntity, 'k')
          .where(`not k.disabled and :role = any(k.roles) and k.id <> :id`, { id, role })
          .getCount();
        if (others === 0)
          throw new DomainError('conflict', `The last ${role} key cannot be disabled.`);
      }
      return [{ kind: 'key.disabled', id }];
    });
  }
}

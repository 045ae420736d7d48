import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { expiryMs } from '#libs/catalog';
import { DomainError } from '#libs/kernel';
import { Outbox } from '../outbox.js';
import { CustomerFactEntity } from './customer-fact.entity.js';

/** A second person lets a proposed fact take effect, or somebody ends one. Ending it twice is one change. */
export class DecideFact extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
    readonly decision: 'approve' | 'revoke',
  ) {
    super();
  }
}

@CommandHandler(DecideFact)
export class DecideFactHandler implements ICommandHandler<DecideFact> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, id, decision }: DecideFact): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const fact = await manager.findOneBy(CustomerFactEntity, { id });
      if (fact === null) throw new DomainError('not_found', 'There is no such fact.');
      const { organisationId, status } = fact;
      const { documentSha256, expiresOn } = fact.statement.evidence;
      const said = { id, organisationId, documentSha256, by: actor, at: new Date().toISOString() };
      if (decision === 'revoke')
        return status === 'revoked' ? [] : [{ kind: 'fact.revoked', ...said }];
      if (fact.author === actor)
        throw new DomainError('forbidden', 'Who entered a fact may not approve it.');
      if (status !== 'proposed')
        throw new DomainError('conflict', 'Only a proposed fact can be approved.');
      if (Date.now() >= expiryMs(expiresOn))
        throw new DomainError('conflict', 'The document has expired.');
      return [{ kind: 'fact.approved', ...said }];
    });
  }
}

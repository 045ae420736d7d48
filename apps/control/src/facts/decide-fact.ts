import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { expiryMs } from '#libs/catalog';
import { DomainError } from '#libs/kernel';
import { Outbox } from '../outbox.js';
import { CustomerFactEntity } from './customer-fact.entity.js';

/**
 * A second person lets a proposed fact take effect, or lets a suspended one go. Anybody with a say takes a fact out of
 * use alone: what it was about is then unknown, which admits no more than either having it or not.
 */
export class DecideFact extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
    readonly decision: 'approve' | 'withdraw',
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
      if (decision === 'withdraw') {
        if (status === 'in-force') return [{ kind: 'fact.suspended', ...said }];
        // What never was in force needs nobody's leave to go.
        return status === 'proposed' ? [{ kind: 'fact.revoked', ...said }] : [];
      }
      if (status === 'suspended') {
        if (fact.suspendedBy === actor)
          throw new DomainError('forbidden', 'Who suspended a fact may not let it go.');
        return [{ kind: 'fact.revoked', ...said }];
      }
      if (fact.author === actor)
        throw new DomainError('forbidden', 'Who entered a fact may not approve it.');
      if (status !== 'proposed')
        throw new DomainError('conflict', 'Only a proposed or a suspended fact can be approved.');
      if (Date.now() >= expiryMs(expiresOn))
        throw new DomainError('conflict', 'The document has expired.');
      return [{ kind: 'fact.approved', ...said }];
    });
  }
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';
import { contentOf } from './correction-change.js';
import { CorrectionEntity } from './correction.entity.js';

/** A second person lets a proposed correction into the books, or somebody takes it back before. */
export class DecideCorrection extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
    readonly decision: 'approve' | 'withdraw',
  ) {
    super();
  }
}

@CommandHandler(DecideCorrection)
export class DecideCorrectionHandler implements ICommandHandler<DecideCorrection> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, id, decision }: DecideCorrection): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const correction = await manager.findOneBy(CorrectionEntity, { id });
      if (correction === null) throw new DomainError('not_found', 'There is no such correction.');
      const { organisationId, generationId, status, author, reason } = correction;
      const { ledgerId } = await manager.findOneByOrFail(OrganisationEntity, {
        id: organisationId,
      });
      const at = new Date().toISOString();
      const said = { id, organisationId, ledgerId, generationId, by: actor, at };
      if (decision === 'withdraw') {
        if (status === 'withdrawn') return [];
        if (status === 'approved')
          throw new DomainError('conflict', 'It is in the books: only another one replaces it.');
        return [{ kind: 'correction.withdrawn', ...said }];
      }
      if (author === actor)
        throw new DomainError('forbidden', 'Who entered a correction may not approve it.');
      if (status !== 'proposed')
        throw new DomainError('conflict', 'Only a proposed correction can be approved.');
      const last = await manager.findOne(CorrectionEntity, {
        where: { generationId, status: 'approved' },
        order: { number: 'DESC' },
      });
      return [
        {
          kind: 'correction.approved',
          ...said,
          ...contentOf(correction.content),
          number: (last?.number ?? 0) + 1,
          author,
          reason,
        },
      ];
    });
  }
}

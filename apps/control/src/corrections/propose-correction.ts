import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';
import type { CorrectionContent } from './correction.entity.js';

export interface ProposedCorrection extends CorrectionContent {
  readonly organisationId: string;
  readonly generationId: string;
  readonly reason: string;
}

/** Entered, recorded, and without effect on the books until a second person approves it. */
export class ProposeCorrection extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly correction: ProposedCorrection,
  ) {
    super();
  }
}

@CommandHandler(ProposeCorrection)
export class ProposeCorrectionHandler implements ICommandHandler<ProposeCorrection> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, correction }: ProposeCorrection): Promise<Decided & { id: string }> {
    const nowMs = Date.now();
    const id = `correction-${uuidV7(nowMs)}`;
    const decided = await this.outbox.decide(actor, async (manager) => {
      const of = await manager.findOneBy(OrganisationEntity, { id: correction.organisationId });
      if (of === null) throw new DomainError('not_found', 'There is no such organization.');
      const at = new Date(nowMs).toISOString();
      return [
        { kind: 'correction.proposed', id, ledgerId: of.ledgerId, ...correction, by: actor, at },
      ];
    });
    return { ...decided, id };
  }
}

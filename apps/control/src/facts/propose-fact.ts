import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import type { CustomerStatement } from '#libs/catalog';
import { DomainError, uuidV7 } from '#libs/kernel';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';

/** Entered, recorded, and without effect until a second person approves it. */
export class ProposeFact extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly organisationId: string,
    readonly statement: CustomerStatement,
  ) {
    super();
  }
}

@CommandHandler(ProposeFact)
export class ProposeFactHandler implements ICommandHandler<ProposeFact> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({
    actor,
    organisationId,
    statement,
  }: ProposeFact): Promise<Decided & { id: string }> {
    const nowMs = Date.now();
    const id = `fact-${uuidV7(nowMs)}`;
    const decided = await this.outbox.decide(actor, async (manager) => {
      if (!(await manager.existsBy(OrganisationEntity, { id: organisationId })))
        throw new DomainError('not_found', 'There is no such organization.');
      const at = new Date(nowMs).toISOString();
      return [{ kind: 'fact.proposed', id, organisationId, statement, by: actor, at }];
    });
    return { ...decided, id };
  }
}

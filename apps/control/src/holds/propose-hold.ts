import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { EntityManager } from 'typeorm';
import type { LegalHoldScope } from '#libs/audit-events';
import { MAIN_LEDGER, type Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { ApiKeyEntity, OrganisationEntity, WorkspaceEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';
import type { NewHold } from './schemas.js';

/** Proposed and recorded; it keeps nothing until a second person approves it. */
export class ProposeHold extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly hold: NewHold,
  ) {
    super();
  }
}

@CommandHandler(ProposeHold)
export class ProposeHoldHandler implements ICommandHandler<ProposeHold> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, hold }: ProposeHold): Promise<Decided & { id: string }> {
    const nowMs = Date.now();
    const id = `hold-${uuidV7(nowMs)}`;
    const { matter, reason, from, to } = hold;
    const decided = await this.outbox.decide(actor, async (manager) => {
      const { ledgerId, ...who } = await whoIsMeant(manager, hold);
      if (!this.outbox.reaches(ledgerId))
        throw new DomainError('unknown_ledger', 'There is no such ledger.');
      const scope: LegalHoldScope = {
        ...who,
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      };
      const at = new Date(nowMs).toISOString();
      return [{ kind: 'hold.proposed', id, ledgerId, scope, matter, reason, by: actor, at }];
    });
    return { ...decided, id };
  }
}

/** From the narrowest that is named up to the organisation, which says whose ledger it is. */
async function whoIsMeant(
  manager: EntityManager,
  hold: NewHold,
): Promise<LegalHoldScope & { readonly ledgerId: string }> {
  const key = found(
    hold.keyId && (await manager.findOneBy(ApiKeyEntity, { id: hold.keyId })),
    'key',
  );
  const workspaceId = agreed(key?.workspaceId, hold.workspaceId);
  const workspace = found(
    workspaceId && (await manager.findOneBy(WorkspaceEntity, { id: workspaceId })),
    'workspace',
  );
  const organisationId = agreed(workspace?.organisationId, hold.organizationId);
  const organisation = found(
    organisationId && (await manager.findOneBy(OrganisationEntity, { id: organisationId })),
    'organization',
  );
  return {
    ledgerId: agreed(organisation?.ledgerId, hold.ledgerId) ?? MAIN_LEDGER,
    ...(organisationId !== undefined && { organisationId }),
    ...(workspaceId !== undefined && { workspaceId }),
    ...(hold.keyId !== undefined && { keyId: hold.keyId }),
  };
}

function found<T>(row: T | null | '' | undefined, what: string): T | undefined {
  if (row === null) throw new DomainError('not_found', `There is no such ${what}.`);
  return row === '' ? undefined : row;
}

function agreed(known: string | undefined, said: string | undefined): string | undefined {
  if (known !== undefined && said !== undefined && known !== said)
    throw new DomainError(
      'conflict',
      'Key, workspace, organization and ledger are not of one house.',
    );
  return known ?? said;
}

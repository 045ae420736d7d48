import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7, type LimitReset } from '#libs/kernel';
import type { Workspace } from '#libs/identity';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';

export interface NewWorkspace {
  readonly organisationId: string;
  readonly name: string;
  readonly environment: string;
  readonly strategy: Workspace['strategy'];
  readonly limitPicoUsd: bigint | null;
  readonly limitReset: LimitReset | null;
}

export class CreateWorkspace extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly workspace: NewWorkspace,
  ) {
    super();
  }
}

@CommandHandler(CreateWorkspace)
export class CreateWorkspaceHandler implements ICommandHandler<CreateWorkspace> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, workspace }: CreateWorkspace): Promise<Decided & { id: string }> {
    const id = `ws-${uuidV7(Date.now())}`;
    const { limitPicoUsd, ...rest } = workspace;
    const decided = await this.outbox.decide(actor, async (manager) => {
      if (!(await manager.existsBy(OrganisationEntity, { id: workspace.organisationId })))
        throw new DomainError('not_found', 'There is no such organization.');
      return [
        { kind: 'workspace.created', id, ...rest, limitPicoUsd: limitPicoUsd?.toString() ?? null },
      ];
    });
    return { ...decided, id };
  }
}

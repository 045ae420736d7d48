import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7, type LimitReset } from '#libs/kernel';
import { hashSecret, mintSecret, type FactDefaults, type Role } from '#libs/identity';
import { WorkspaceEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';

export interface NewApiKey {
  readonly workspaceId: string;
  readonly label: string;
  readonly roles: readonly Role[];
  readonly defaults: FactDefaults;
  readonly limitPicoUsd: bigint | null;
  readonly limitReset: LimitReset | null;
}

/** The secret leaves here once and is nowhere kept: only its hash goes into the outbox. */
export class CreateApiKey extends Command<
  Decided & { readonly id: string; readonly secret: string }
> {
  constructor(
    readonly actor: string,
    readonly key: NewApiKey,
  ) {
    super();
  }
}

@CommandHandler(CreateApiKey)
export class CreateApiKeyHandler implements ICommandHandler<CreateApiKey> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, key }: CreateApiKey): Promise<Decided & { id: string; secret: string }> {
    const id = `key-${uuidV7(Date.now())}`;
    const secret = mintSecret();
    const { limitPicoUsd, ...rest } = key;
    const decided = await this.outbox.decide(actor, async (manager) => {
      if (!(await manager.existsBy(WorkspaceEntity, { id: key.workspaceId })))
        throw new DomainError('not_found', 'There is no such workspace.');
      return [
        {
          kind: 'key.created',
          id,
          ...rest,
          secretSha256: hashSecret(secret),
          limitPicoUsd: limitPicoUsd?.toString() ?? null,
          createdAt: new Date().toISOString(),
        },
      ];
    });
    return { ...decided, id, secret };
  }
}

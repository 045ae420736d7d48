import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { ControlErrorCode } from '../errors.js';
import { OrganisationEntity, type KeepsContent } from '../entities/organisation.entity.js';
import { Outbox } from '../outbox.js';
import { ContentVault } from './content-vault.js';

/** From the next request on. */
export class SetContentVault extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly organisationId: string,
    readonly contentVault: KeepsContent | null,
  ) {
    super();
  }
}

@CommandHandler(SetContentVault)
export class SetContentVaultHandler implements ICommandHandler<SetContentVault> {
  constructor(
    @Inject(Outbox) private readonly outbox: Outbox,
    @Inject(ContentVault) private readonly vault: ContentVault,
  ) {}

  execute({ actor, organisationId: id, contentVault }: SetContentVault): Promise<Decided> {
    if (contentVault !== null && !this.vault.isThere)
      throw new DomainError<ControlErrorCode>(
        'vault_not_configured',
        'This deployment has no content vault: nothing would be kept.',
      );
    return this.outbox.decide(actor, async (manager) => {
      const row = await manager.findOneBy(OrganisationEntity, { id });
      if (row === null) throw new DomainError('not_found', 'There is no such organisation.');
      if (same(row.contentVault, contentVault)) return [];
      const { ledgerId } = row;
      return [{ kind: 'organisation.vault_set', id, ledgerId, contentVault }];
    });
  }
}

const same = (a: KeepsContent | null, b: KeepsContent | null): boolean =>
  a?.keepDays === b?.keepDays && a?.required === b?.required;

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7, type LimitReset } from '#libs/kernel';
import type { ControlErrorCode } from '../errors.js';
import { Outbox } from '../outbox.js';

export interface NewOrganisation {
  readonly name: string;
  readonly sector: string;
  readonly jurisdiction: string;
  readonly limitPicoUsd: bigint | null;
  readonly limitReset: LimitReset | null;
  readonly prepaid: boolean;
  readonly ledgerId: string;
}

export class CreateOrganisation extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly organisation: NewOrganisation,
  ) {
    super();
  }
}

@CommandHandler(CreateOrganisation)
export class CreateOrganisationHandler implements ICommandHandler<CreateOrganisation> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, organisation }: CreateOrganisation): Promise<Decided & { id: string }> {
    const id = `org-${uuidV7(Date.now())}`;
    const { limitPicoUsd, ...rest } = organisation;
    if (!this.outbox.reaches(rest.ledgerId))
      throw new DomainError<ControlErrorCode>(
        'unknown_ledger',
        'This deployment has no ledger of that id.',
      );
    const decided = await this.outbox.decide(actor, async () => [
      { kind: 'organisation.created', id, ...rest, limitPicoUsd: limitPicoUsd?.toString() ?? null },
    ]);
    return { ...decided, id };
  }
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { uuidV7, type LimitReset } from '#libs/kernel';
import { Outbox } from '../outbox.js';

export interface NewOrganisation {
  readonly name: string;
  readonly sector: string;
  readonly jurisdiction: string;
  readonly limitPicoUsd: bigint | null;
  readonly limitReset: LimitReset | null;
  readonly prepaid: boolean;
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
    const decided = await this.outbox.decide(actor, async () => [
      { kind: 'organisation.created', id, ...rest, limitPicoUsd: limitPicoUsd?.toString() ?? null },
    ]);
    return { ...decided, id };
  }
}

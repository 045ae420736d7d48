import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import { OrganisationEntity } from '../entities/index.js';
import { Outbox } from '../outbox.js';
import { DEFAULT_CREDIT_FEE, feeFor } from './credit-fee.js';
import { CreditEntity } from './credit.entity.js';

export interface Purchase {
  readonly organisationId: string;
  readonly idempotencyKey: string;
  readonly amountPicoUsd: bigint;
  readonly reference?: string | undefined;
}

export type Bought = Decided & {
  readonly id: string;
  readonly amountPicoUsd: bigint;
  readonly feePicoUsd: bigint;
};

/** Asked twice under one idempotency key it is one purchase, and has the same answer. */
export class BuyCredit extends Command<Bought> {
  constructor(
    readonly actor: string,
    readonly purchase: Purchase,
  ) {
    super();
  }
}

@CommandHandler(BuyCredit)
export class BuyCreditHandler implements ICommandHandler<BuyCredit> {
  constructor(
    @Inject(Outbox) private readonly outbox: Outbox,
    @Inject(CONTROL_OPTIONS) private readonly options: ControlOptions,
  ) {}

  async execute({ actor, purchase }: BuyCredit): Promise<Bought> {
    const { organisationId, idempotencyKey, amountPicoUsd, reference } = purchase;
    const fee = this.options.creditFee ?? DEFAULT_CREDIT_FEE;
    const nowMs = Date.now();
    let bought = {
      id: `credit-${uuidV7(nowMs)}`,
      amountPicoUsd,
      feePicoUsd: feeFor(amountPicoUsd, fee),
    };
    const decided = await this.outbox.decide(actor, async (manager) => {
      const organisation = await manager.findOneBy(OrganisationEntity, { id: organisationId });
      if (organisation === null)
        throw new DomainError('not_found', 'There is no such organization.');
      const before = await manager.findOneBy(CreditEntity, { organisationId, idempotencyKey });
      if (before !== null) {
        if (before.amountPicoUsd !== amountPicoUsd || before.reference !== (reference ?? null))
          throw new DomainError('conflict', 'This idempotency key bought something else.');
        bought = before;
        return [];
      }
      return [
        {
          kind: 'credit.bought',
          id: bought.id,
          organisationId,
          ledgerId: organisation.ledgerId,
          idempotencyKey,
          amountPicoUsd: amountPicoUsd.toString(),
          feePicoUsd: bought.feePicoUsd.toString(),
          fee: {
            basisPoints: fee.basisPoints,
            minimumPicoUsd: fee.minimumPicoUsd.toString(),
          },
          ...(reference === undefined ? {} : { reference }),
          by: actor,
          at: new Date(nowMs).toISOString(),
        },
      ];
    });
    const { id, feePicoUsd } = bought;
    return { ...decided, id, amountPicoUsd, feePicoUsd };
  }
}

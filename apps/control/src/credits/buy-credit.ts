import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { CONTROL_OPTIONS, type ControlOptions } from '../control-options.js';
import { Outbox } from '../outbox.js';
import { CREDITS, type Purchase } from './credit-procedure.js';
import { CreditEntity, type CreditStatus } from './credit.entity.js';

export type Bought = Decided & {
  readonly id: string;
  readonly amountPicoUsd: bigint;
  readonly feePicoUsd: bigint;
  /** `proposed`: it waits for a second person. */
  readonly state: CreditStatus;
};

/** Asked twice under one idempotency key it is one purchase, and has the same answer. */
export class BuyCredit extends Command<Bought> {
  constructor(
    readonly actor: string,
    readonly purchase: Omit<Purchase, 'terms'>,
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
    const { organisationId, idempotencyKey } = purchase;
    const nowMs = Date.now();
    const said = { id: `credit-${uuidV7(nowMs)}`, by: actor, at: new Date(nowMs).toISOString() };
    let bought: Omit<Bought, keyof Decided> | undefined;
    const decided = await this.outbox.decide(actor, async (manager) => {
      const before = await manager.findOneBy(CreditEntity, { organisationId, idempotencyKey });
      if (before !== null) {
        const { id, amountPicoUsd, feePicoUsd } = before;
        bought = { id, amountPicoUsd, feePicoUsd, state: sameAgain(before, purchase) };
        return [];
      }
      const change = await CREDITS.propose({ ...purchase, terms: this.options.creditTerms }, said, {
        manager,
        reaches: (ledgerId) => this.outbox.reaches(ledgerId),
      });
      if (change.kind !== 'credit.bought' && change.kind !== 'credit.proposed') return [];
      bought = {
        id: change.id,
        amountPicoUsd: BigInt(change.amountPicoUsd),
        feePicoUsd: BigInt(change.feePicoUsd),
        state: change.kind === 'credit.bought' ? 'bought' : 'proposed',
      };
      return [change];
    });
    const { id, amountPicoUsd, feePicoUsd, state } = bought!;
    return { ...decided, id, amountPicoUsd, feePicoUsd, state };
  }
}

function sameAgain(before: CreditEntity, purchase: Omit<Purchase, 'terms'>): CreditStatus {
  if (
    before.amountPicoUsd !== purchase.amountPicoUsd ||
    before.reference !== (purchase.reference ?? null)
  )
    throw new DomainError('conflict', 'This idempotency key bought something else.');
  if (before.status === 'withdrawn')
    throw new DomainError('conflict', 'What this idempotency key was to buy was withdrawn.');
  return before.status;
}

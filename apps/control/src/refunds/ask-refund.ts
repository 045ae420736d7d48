import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { Outbox } from '../outbox.js';
import { REFUNDS, type ProposedRefund } from './refund-procedure.js';
import { RefundEntity, type RefundStatus } from './refund.entity.js';

export type AskedRefund = Decided & { readonly id: string; readonly state: RefundStatus };

/** Asked twice under one idempotency key it is one refund, and has the same answer. */
export class AskRefund extends Command<AskedRefund> {
  constructor(
    readonly actor: string,
    readonly refund: ProposedRefund,
  ) {
    super();
  }
}

@CommandHandler(AskRefund)
export class AskRefundHandler implements ICommandHandler<AskRefund> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ actor, refund }: AskRefund): Promise<AskedRefund> {
    const { organisationId, idempotencyKey } = refund;
    const nowMs = Date.now();
    const said = { id: `refund-${uuidV7(nowMs)}`, by: actor, at: new Date(nowMs).toISOString() };
    let asked: Omit<AskedRefund, keyof Decided> = { id: said.id, state: 'proposed' };
    const decided = await this.outbox.decide(actor, async (manager) => {
      const before = await manager.findOneBy(RefundEntity, { organisationId, idempotencyKey });
      if (before !== null) {
        asked = { id: before.id, state: sameAgain(before, refund) };
        return [];
      }
      asked = { id: said.id, state: 'proposed' };
      const change = await REFUNDS.propose(refund, said, {
        manager,
        reaches: (ledgerId) => this.outbox.reaches(ledgerId),
      });
      return [change];
    });
    return { ...decided, ...asked };
  }
}

function sameAgain(before: RefundEntity, asked: ProposedRefund): RefundStatus {
  if (
    before.amountPicoUsd !== (asked.amountPicoUsd ?? null) ||
    before.creditId !== (asked.creditId ?? null) ||
    before.reason !== asked.reason
  )
    throw new DomainError('conflict', 'This idempotency key asked for something else.');
  if (before.status === 'withdrawn')
    throw new DomainError('conflict', 'What this idempotency key asked for was withdrawn.');
  return before.status;
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { Outbox } from '../outbox.js';
import type { HoldChange } from './hold-change.js';
import { LegalHoldEntity } from './legal-hold.entity.js';

export type HoldDecision =
  | { readonly kind: 'approve' | 'withdraw' | 'approve-lift' | 'withdraw-lift' }
  | { readonly kind: 'propose-lift'; readonly reason: string };

/** A second person lets a hold begin or end; what is only proposed can be taken back. */
export class DecideHold extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
    readonly decision: HoldDecision,
  ) {
    super();
  }
}

@CommandHandler(DecideHold)
export class DecideHoldHandler implements ICommandHandler<DecideHold> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  execute({ actor, id, decision }: DecideHold): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const hold = await manager.findOneBy(LegalHoldEntity, { id });
      if (hold === null) throw new DomainError('not_found', 'There is no such legal hold.');
      const said = { id, ledgerId: hold.ledgerId, by: actor, at: new Date().toISOString() };
      return [changeOf(hold, said, decision)];
    });
  }
}

function changeOf(
  { status, scope, matter, reason, author, liftAuthor, liftReason }: LegalHoldEntity,
  said: { id: string; ledgerId: string; by: string; at: string },
  decision: HoldDecision,
): HoldChange {
  switch (decision.kind) {
    case 'approve':
      demand(status === 'proposed', 'Only a proposed hold can be approved.');
      demandOther(author, said.by);
      return { kind: 'hold.set', ...said, scope, matter, reason, author };
    case 'withdraw':
      demand(status === 'proposed', 'A hold that is in force ends only by being lifted.');
      return { kind: 'hold.withdrawn', ...said };
    case 'propose-lift':
      demand(status === 'in-force', 'Only a hold that is in force can be lifted.');
      return { kind: 'hold.lift_proposed', ...said, reason: decision.reason };
    case 'withdraw-lift':
      demand(status === 'lifting', 'Nobody has proposed to lift it.');
      return { kind: 'hold.lift_withdrawn', ...said };
    case 'approve-lift':
      demand(status === 'lifting', 'Nobody has proposed to lift it.');
      demandOther(liftAuthor, said.by);
      return { kind: 'hold.lifted', ...said, reason: liftReason ?? '', author: liftAuthor ?? '' };
  }
}

function demand(holds: boolean, message: string): void {
  if (!holds) throw new DomainError('conflict', message);
}

function demandOther(author: string | null, approver: string): void {
  if (author === approver)
    throw new DomainError('forbidden', 'Who proposed it may not approve it.');
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { Change } from '../changes.js';
import { Outbox } from '../outbox.js';
import { stepFor, type Matter, type Procedure } from './procedure.js';

type MatterChange = Extract<Change, { readonly by: string }>;
/** Of whatever kind: a handler does not look inside. */
export type AnyProcedure = Procedure<Matter, never, MatterChange>;

/** Somebody decides on what was proposed: approves it, takes it back, … as the procedure lets them. */
export class Decide extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly procedure: AnyProcedure,
    readonly actor: string,
    readonly id: string,
    readonly decision: string,
    readonly reason?: string,
  ) {
    super();
  }
}

@CommandHandler(Decide)
export class DecideHandler implements ICommandHandler<Decide> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute(command: Decide): Promise<Decided & { id: string }> {
    const { procedure, actor, id, decision, reason } = command;
    const decided = await this.outbox.decide(actor, async (manager) => {
      const row = await manager.findOneBy(procedure.entity, { id });
      if (row === null) throw new DomainError('not_found', `There is no such ${procedure.what}.`);
      const step = stepFor(procedure, row, decision, actor);
      if (step === undefined) return [];
      const said = { id, by: actor, at: new Date().toISOString() };
      return [await step.change(row, said, { manager, reason })];
    });
    return { ...decided, id };
  }
}

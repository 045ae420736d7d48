import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DataSource, type EntityManager } from 'typeorm';
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
  constructor(
    @Inject(Outbox) private readonly outbox: Outbox,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  async execute(command: Decide): Promise<Decided & { id: string }> {
    const { procedure, actor, id, decision, reason } = command;
    const stepIn = async (manager: EntityManager) => {
      const row = await manager.findOneBy(procedure.entity, { id });
      if (row === null) throw new DomainError('not_found', `There is no such ${procedure.what}.`);
      return { row, step: stepFor(procedure, row, decision, actor) };
    };
    // Each decision waits for the one before it: what may take long is asked before.
    const before = await stepIn(this.database.manager);
    const stillSo = await before.step?.beforehand?.(before.row);
    const decided = await this.outbox.decide(actor, async (manager) => {
      const { row, step } = await stepIn(manager);
      if (step === undefined) return [];
      if (step.beforehand !== undefined && step.decision !== before.step?.decision)
        throw new DomainError('conflict', `This ${procedure.what} changed meanwhile: ask again.`);
      await stillSo?.(manager);
      const said = { id, by: actor, at: new Date().toISOString() };
      return [await step.change(row, said, { manager, reason })];
    });
    return { ...decided, id };
  }
}

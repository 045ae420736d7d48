import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { uuidV7 } from '#libs/kernel';
import { Outbox } from '../outbox.js';
import type { AnyProcedure } from './decide.js';
import type { Matter, MatterChange, Procedure } from './procedure.js';

/** Entered, recorded, and without effect until a second person approves it. */
export class Propose extends Command<Decided & { readonly id: string }> {
  private constructor(
    readonly actor: string,
    readonly procedure: AnyProcedure,
    readonly input: never,
  ) {
    super();
  }

  /** With what the procedure asks for. */
  static by<Row extends Matter, Input, Change extends MatterChange>(
    actor: string,
    procedure: Procedure<Row, Input, Change> & AnyProcedure,
    input: Input,
  ): Propose {
    return new Propose(actor, procedure, input as never);
  }
}

@CommandHandler(Propose)
export class ProposeHandler implements ICommandHandler<Propose> {
  constructor(@Inject(Outbox) private readonly outbox: Outbox) {}

  async execute({ procedure, actor, input }: Propose): Promise<Decided & { id: string }> {
    const nowMs = Date.now();
    const id = `${procedure.what}-${uuidV7(nowMs)}`;
    const said = { id, by: actor, at: new Date(nowMs).toISOString() };
    const decided = await this.outbox.decide(actor, async (manager) => [
      await procedure.propose(input, said, {
        manager,
        reaches: (ledgerId) => this.outbox.reaches(ledgerId),
      }),
    ]);
    return { ...decided, id };
  }
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import type { PolicyAppErrorCode } from '../../policy.errors.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { lastActivation } from '../read-policy.js';

export class RollBack extends Command<Decided & { readonly version: string }> {
  constructor(
    readonly actor: string,
    readonly reason: string,
    /** Where given, what must be in force: so that two who press at once do not go back twice. */
    readonly from?: string,
  ) {
    super();
  }
}

/** One call, one person: what comes back was approved by two when it first came into force. */
@CommandHandler(RollBack)
export class RollBackHandler implements ICommandHandler<RollBack> {
  constructor(@Inject(PolicyOutbox) private readonly outbox: PolicyOutbox) {}

  async execute({ actor, reason, from }: RollBack): Promise<Decided & { version: string }> {
    let version = '';
    const decided = await this.outbox.decide(actor, async (manager) => {
      const current = await lastActivation(manager);
      if (from !== undefined && current?.version !== from)
        throw refused('not_in_force', 'Another bundle is in force than the one named in `from`.');
      if (current === null || current.rollBackTo === null)
        throw refused('nothing_to_roll_back', 'No earlier bundle is known to go back to.');
      version = current.rollBackTo;
      // A second rollback goes further back, as from the time when that version was in force before.
      const rollBackTo = (await lastActivation(manager, version))?.rollBackTo ?? null;
      const previous = current.version;
      const details = { reason };
      return [
        { kind: 'policy.activated', version, previous, rollBackTo, cause: 'rollback', details },
      ];
    });
    return { ...decided, version };
  }
}

const refused = (code: PolicyAppErrorCode, message: string): DomainError =>
  new DomainError<PolicyAppErrorCode>(code, message);

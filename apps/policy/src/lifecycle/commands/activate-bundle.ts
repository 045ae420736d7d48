import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { PolicyOutbox } from '../policy-outbox.js';
import { lastActivation, standingOf } from '../read-policy.js';
import { requireStep } from '../steps.js';

export class ActivateBundle extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly version: string,
  ) {
    super();
  }
}

/** In force once `custos.policy.activated.v1` is in the log, and not before. */
@CommandHandler(ActivateBundle)
export class ActivateBundleHandler implements ICommandHandler<ActivateBundle> {
  constructor(@Inject(PolicyOutbox) private readonly outbox: PolicyOutbox) {}

  execute({ actor, version }: ActivateBundle): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      requireStep('activate', (await standingOf(manager, version)).step);
      const previous = (await lastActivation(manager))?.version ?? null;
      const rollBackTo = previous;
      const cause = 'activation';
      return [{ kind: 'policy.activated', version, previous, rollBackTo, cause, details: {} }];
    });
  }
}

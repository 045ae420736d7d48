import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { LIFECYCLE_OPTIONS, type LifecycleOptions } from '../lifecycle-options.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { isDistrusted, standingOf } from '../read-policy.js';
import { softwareVersion } from '../../software-version.js';

/** Somebody looked into it: the compiled evaluator may decide under this bundle again. */
export class TrustEvaluator extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly version: string,
    readonly reason: string,
  ) {
    super();
  }
}

@CommandHandler(TrustEvaluator)
export class TrustEvaluatorHandler implements ICommandHandler<TrustEvaluator> {
  constructor(
    @Inject(LIFECYCLE_OPTIONS) private readonly options: LifecycleOptions,
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
  ) {}

  execute({ actor, version, reason }: TrustEvaluator): Promise<Decided> {
    const software = this.options.software ?? softwareVersion();
    return this.outbox.decide(actor, async (manager) => {
      await standingOf(manager, version);
      if (!(await isDistrusted(manager, version, software))) return [];
      return [{ kind: 'evaluator.trusted', version, software, details: { reason } }];
    });
  }
}

import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { LIFECYCLE_OPTIONS, type LifecycleOptions } from '../lifecycle-options.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { standingOf } from '../read-policy.js';
import { requireStep } from '../steps.js';

export class SimulateBundle extends Command<Decided & { readonly report: unknown }> {
  constructor(
    readonly actor: string,
    readonly version: string,
    readonly since: Date,
  ) {
    super();
  }
}

@CommandHandler(SimulateBundle)
export class SimulateBundleHandler implements ICommandHandler<SimulateBundle> {
  constructor(
    @Inject(LIFECYCLE_OPTIONS) private readonly options: LifecycleOptions,
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(DataSource) private readonly database: DataSource,
  ) {}

  async execute({ actor, version, since }: SimulateBundle): Promise<Decided & { report: unknown }> {
    const { simulate } = this.options;
    if (simulate === undefined)
      throw new DomainError('not_implemented', 'Bundles cannot be simulated here yet.');
    requireStep('simulate', (await standingOf(this.database.manager, version)).step);
    const { summary, report } = await simulate(version, since);
    const decided = await this.outbox.decide(actor, async (manager) => {
      requireStep('simulate', (await standingOf(manager, version)).step);
      const details = { ...summary, since: since.toISOString() };
      return [{ kind: 'policy.simulated', version, details }];
    });
    return { ...decided, report };
  }
}

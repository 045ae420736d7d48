import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import type { Decided } from '#libs/audit-log';
import { createDecider, openBundle, type BundleFault } from '#libs/policy';
import { PolicyService } from '../../policy.service.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { standingOf } from '../read-policy.js';
import { requireStep } from '../steps.js';

export type Validated =
  | { readonly ok: false; readonly faults: readonly BundleFault[] }
  | (Decided & { readonly ok: true; readonly policies: number });

export class ValidateBundle extends Command<Validated> {
  constructor(
    readonly actor: string,
    readonly version: string,
  ) {
    super();
  }
}

/** The stored texts once more, as this release reads them, and made ready over the catalog in use. */
@CommandHandler(ValidateBundle)
export class ValidateBundleHandler implements ICommandHandler<ValidateBundle> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(PolicyService) private readonly policy: PolicyService,
  ) {}

  async execute({ actor, version }: ValidateBundle): Promise<Validated> {
    const { bundle } = await standingOf(this.database.manager, version);
    const opened = openBundle(bundle);
    if (!opened.ok) return opened;
    createDecider(opened.bundle, this.policy.catalog);
    const policies = Object.keys(bundle.policies).length;
    const catalog = this.policy.catalog.version;
    const decided = await this.outbox.decide(actor, async (manager) => {
      const { step } = await standingOf(manager, version);
      requireStep('validate', step);
      // Asked twice it stays as it is.
      if (step === 'validated') return [];
      return [{ kind: 'policy.validated', version, details: { policies, catalog } }];
    });
    return { ok: true, ...decided, policies };
  }
}

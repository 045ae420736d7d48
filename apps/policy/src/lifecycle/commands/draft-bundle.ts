import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { buildBundle, type BundleFault } from '#libs/policy';
import { PolicyService } from '../../policy.service.js';
import { BundleEntity } from '../entities/index.js';
import { PolicyOutbox } from '../policy-outbox.js';

export interface NewBundle {
  /** Cedar text by file name. */
  readonly policies: Readonly<Record<string, string>>;
  /** Default: that of the bundle in force. */
  readonly schema?: string | undefined;
  readonly comment: string;
}

/** Faulty texts are a refusal with every fault, not an exception; nothing of them is kept. */
export type Drafted =
  | { readonly ok: false; readonly faults: readonly BundleFault[] }
  | (Decided & { readonly ok: true; readonly version: string; readonly created: boolean });

export class DraftBundle extends Command<Drafted> {
  constructor(
    readonly actor: string,
    readonly bundle: NewBundle,
  ) {
    super();
  }
}

/** The same texts have the same version: drafted again they are found, not made. */
@CommandHandler(DraftBundle)
export class DraftBundleHandler implements ICommandHandler<DraftBundle> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicyService) private readonly policy: PolicyService,
  ) {}

  async execute({ actor, bundle }: DraftBundle): Promise<Drafted> {
    const schema = bundle.schema ?? this.policy.bundle.schema;
    const built = buildBundle({ policies: bundle.policies, schema });
    if (!built.ok) return built;
    const { version, policies } = built.bundle;
    let created = false;
    const decided = await this.outbox.decide(actor, async (manager) => {
      created = !(await manager.existsBy(BundleEntity, { version }));
      const { comment } = bundle;
      return created ? [{ kind: 'policy.drafted', version, policies, schema, comment }] : [];
    });
    return { ok: true, ...decided, version, created };
  }
}

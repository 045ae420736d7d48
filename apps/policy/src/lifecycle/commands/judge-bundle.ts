import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { PolicySigner } from '../../policy-signer.js';
import type { PolicyAppErrorCode } from '../../policy.errors.js';
import type { Change } from '../changes.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { standingOf, type Standing } from '../read-policy.js';
import { requireStep } from '../steps.js';

/** One person proposes a bundle, another approves or rejects it. */
export class JudgeBundle extends Command<Decided> {
  constructor(
    readonly action: 'propose' | 'approve' | 'reject',
    readonly actor: string,
    readonly version: string,
    readonly comment: string,
  ) {
    super();
  }
}

@CommandHandler(JudgeBundle)
export class JudgeBundleHandler implements ICommandHandler<JudgeBundle> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicySigner) private readonly signer: PolicySigner,
  ) {}

  execute({ action, actor, version, comment }: JudgeBundle): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const standing = await standingOf(manager, version);
      requireStep(action, standing.step);
      requireOtherEyes(action, actor, standing);
      return [await this.#change(action, actor, version, comment)];
    });
  }

  async #change(
    action: JudgeBundle['action'],
    actor: string,
    version: string,
    comment: string,
  ): Promise<Change> {
    const details = { comment };
    if (action === 'propose') return { kind: 'policy.proposed', version, details };
    if (action === 'reject') return { kind: 'policy.rejected', version, details };
    const statement = { version, approvedBy: actor, approvedAt: new Date().toISOString() };
    const signature = await this.signer.signBundle(statement);
    return { kind: 'policy.approved', version, details, signature };
  }
}

/**
 * Four eyes over the whole history of a version: who wrote or ever proposed it does not approve it, and who ever
 * approved it does not propose it. A person is a key's id: another secret, or another role, makes nobody another one.
 */
function requireOtherEyes(
  action: JudgeBundle['action'],
  actor: string,
  { bundle, steps }: Standing,
): void {
  const did = (step: string): boolean => steps.some((s) => s.step === step && s.actor === actor);
  const conflict =
    action === 'approve'
      ? bundle.author === actor || did('proposed')
      : action === 'propose' && did('approved');
  if (!conflict) return;
  throw new DomainError<PolicyAppErrorCode>(
    'same_principal',
    action === 'approve'
      ? 'Who wrote or proposed a bundle cannot approve it.'
      : 'Who approved a bundle cannot propose it.',
  );
}

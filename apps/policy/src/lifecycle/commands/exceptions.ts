import { Inject } from '@nestjs/common';
import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Decided } from '#libs/audit-log';
import { DomainError, uuidV7 } from '#libs/kernel';
import { liftablePolicies, type PolicyException } from '#libs/policy';
import { PolicySigner } from '../../policy-signer.js';
import type { PolicyAppErrorCode } from '../../policy.errors.js';
import { PolicyService } from '../../policy.service.js';
import type { ExceptionEntity } from '../entities/index.js';
import { PolicyOutbox } from '../policy-outbox.js';
import { exceptionOf } from '../read-policy.js';

export interface NewException {
  readonly policies: readonly string[];
  readonly scope: PolicyException['scope'];
  readonly ticket: string;
  readonly reason: string;
  readonly expiresAt: Date;
}

export class RequestException extends Command<Decided & { readonly id: string }> {
  constructor(
    readonly actor: string,
    readonly exception: NewException,
  ) {
    super();
  }
}

@CommandHandler(RequestException)
export class RequestExceptionHandler implements ICommandHandler<RequestException> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicyService) private readonly policy: PolicyService,
  ) {}

  async execute({ actor, exception }: RequestException): Promise<Decided & { id: string }> {
    const { scope, expiresAt, policies, ticket, reason } = exception;
    requireLiftable(policies, this.policy);
    const id = `exc-${uuidV7(this.policy.nowMs())}`;
    const decided = await this.outbox.decide(actor, async () => [
      {
        kind: 'exception.requested',
        id,
        policies,
        scopeKind: scope.kind,
        scopeId: scope.id,
        ticket,
        reason,
        expiresAt: expiresAt.toISOString(),
      },
    ]);
    return { ...decided, id };
  }
}

export class ApproveException extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
  ) {
    super();
  }
}

@CommandHandler(ApproveException)
export class ApproveExceptionHandler implements ICommandHandler<ApproveException> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicyService) private readonly policy: PolicyService,
    @Inject(PolicySigner) private readonly signer: PolicySigner,
  ) {}

  execute({ actor, id }: ApproveException): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      const row = await exceptionOf(manager, id);
      requireOpen(row, this.policy.nowMs());
      if (row.approvedAt !== null)
        throw refused('exception_closed', 'The exception is approved already.');
      if (row.requestedBy === actor)
        throw refused('same_principal', 'Who requested an exception cannot approve it.');
      requireLiftable(row.policies, this.policy);
      const signature = await this.signer.signException({
        id,
        policies: row.policies,
        scope: { kind: row.scopeKind, id: row.scopeId },
        requestedBy: row.requestedBy,
        approvedBy: actor,
        ticket: row.ticket,
        expiresAt: row.expiresAt.toISOString(),
      });
      return [{ kind: 'exception.approved', id, signature }];
    });
  }
}

/** Ends an exception at once, or withdraws one that waits for approval. */
export class RevokeException extends Command<Decided> {
  constructor(
    readonly actor: string,
    readonly id: string,
    readonly reason: string,
  ) {
    super();
  }
}

@CommandHandler(RevokeException)
export class RevokeExceptionHandler implements ICommandHandler<RevokeException> {
  constructor(
    @Inject(PolicyOutbox) private readonly outbox: PolicyOutbox,
    @Inject(PolicyService) private readonly policy: PolicyService,
  ) {}

  execute({ actor, id, reason }: RevokeException): Promise<Decided> {
    return this.outbox.decide(actor, async (manager) => {
      requireOpen(await exceptionOf(manager, id), this.policy.nowMs());
      return [{ kind: 'exception.revoked', id, reason }];
    });
  }
}

function requireLiftable(policies: readonly string[], policy: PolicyService): void {
  const liftable = liftablePolicies(policy.bundle);
  const others = policies.filter((id) => !liftable.has(id));
  if (others.length === 0) return;
  throw refused(
    'not_liftable',
    `Not in force, or without a word of break-glass in their text: ${others.join(', ')}.`,
  );
}

function requireOpen(row: ExceptionEntity, nowMs: number): void {
  if (row.revokedAt !== null) throw refused('exception_closed', 'The exception was revoked.');
  if (nowMs >= row.expiresAt.getTime())
    throw refused('exception_closed', 'The exception has expired.');
}

const refused = (code: PolicyAppErrorCode, message: string): DomainError =>
  new DomainError<PolicyAppErrorCode>(code, message);

import type { FastifyReply } from 'fastify';
import type { Decided } from '#libs/audit-log';
import type { Principal } from '#libs/identity';
import { DomainError } from '#libs/kernel';
import { errorResponse } from '#libs/platform';
import type { BundleFault } from '#libs/policy';
import { POLICY_ERRORS, type PolicyAppErrorCode } from './policy.errors.js';

/** Who is written into the log and compared where two people are needed. */
export const actorOf = ({ key }: Principal): string => `key:${key.id}`;

/** 202 and `pending` where the change is durable but its record not yet in the log: it has no effect until then. */
export function answer<T extends Decided>(
  reply: FastifyReply,
  decided: T,
  status: 200 | 201 = 200,
): Omit<T, 'effective'> & { status: 'effective' | 'pending' } {
  const { effective, ...rest } = decided;
  reply.status(effective ? status : 202);
  return { ...rest, status: effective ? 'effective' : 'pending' };
}

/** 422 with every fault: file, policy, code, message. */
export function faultsAnswer(reply: FastifyReply, faults: readonly BundleFault[]): unknown {
  const message = `The policies have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}.`;
  const { status, body } = errorResponse(
    new DomainError<PolicyAppErrorCode>('policy_invalid', message),
    POLICY_ERRORS,
  );
  reply.status(status);
  return { error: { ...body.error, metadata: { ...body.error.metadata, faults } } };
}

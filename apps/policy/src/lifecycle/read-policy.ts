import { IsNull, MoreThan, Not, type EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import type { PolicyAppErrorCode } from '../policy.errors.js';
import {
  ActivationEntity,
  BundleEntity,
  BundleStepEntity,
  EvaluatorTrustEntity,
  ExceptionEntity,
} from './entities/index.js';

/** What the tables say is in force. */
export interface StoredPolicy {
  readonly active?: { readonly bundle: BundleEntity; readonly activation: ActivationEntity };
  /** The compiled evaluator was found wrong under the active bundle, and nobody has cleared it. */
  readonly compiledDistrusted: boolean;
  /** Approved, not revoked, not expired when read. */
  readonly exceptions: readonly ExceptionEntity[];
}

/** The whole state of one moment: the caller's transaction must be REPEATABLE READ. */
export async function readPolicy(manager: EntityManager, software: string): Promise<StoredPolicy> {
  const exceptions = await manager.find(ExceptionEntity, {
    where: { signature: Not(IsNull()), revokedAt: IsNull(), expiresAt: MoreThan(new Date()) },
    order: { id: 'ASC' },
  });
  const activation = await lastActivation(manager);
  if (activation === null) return { exceptions, compiledDistrusted: false };
  const bundle = await manager.findOneByOrFail(BundleEntity, { version: activation.version });
  const compiledDistrusted = await isDistrusted(manager, activation.version, software);
  return { active: { bundle, activation }, exceptions, compiledDistrusted };
}

/** The last word on the compiled evaluator under this bundle, in this version of the software. */
export async function isDistrusted(
  manager: EntityManager,
  version: string,
  software: string,
): Promise<boolean> {
  const last = await manager.findOne(EvaluatorTrustEntity, {
    where: { version, software },
    order: { seq: 'DESC' },
  });
  return last !== null && !last.trusted;
}

/** The one in force; or, of a version given, the last time that it came into force. */
export function lastActivation(
  manager: EntityManager,
  version?: string,
): Promise<ActivationEntity | null> {
  return manager.findOne(ActivationEntity, {
    where: version === undefined ? {} : { version },
    order: { seq: 'DESC' },
  });
}

/** A version and its history, oldest step first. */
export interface Standing {
  readonly bundle: BundleEntity;
  readonly steps: readonly BundleStepEntity[];
  readonly step: BundleStepEntity['step'];
}

/** Throws `unknown_bundle`. */
export async function standingOf(manager: EntityManager, version: string): Promise<Standing> {
  const bundle = await manager.findOneBy(BundleEntity, { version });
  const steps = await manager.find(BundleStepEntity, { where: { version }, order: { seq: 'ASC' } });
  const last = steps.at(-1);
  if (bundle === null || last === undefined)
    throw new DomainError<PolicyAppErrorCode>('unknown_bundle', 'There is no such bundle.');
  return { bundle, steps, step: last.step };
}

/** Throws `unknown_exception`. */
export async function exceptionOf(manager: EntityManager, id: string): Promise<ExceptionEntity> {
  const found = await manager.findOneBy(ExceptionEntity, { id });
  if (found === null)
    throw new DomainError<PolicyAppErrorCode>('unknown_exception', 'There is no such exception.');
  return found;
}

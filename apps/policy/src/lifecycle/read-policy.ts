import { IsNull, MoreThan, Not, type EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import type { PolicyAppErrorCode } from '../policy.errors.js';
import {
  ActivationEntity,
  BundleEntity,
  BundleStepEntity,
  ExceptionEntity,
} from './entities/index.js';

/** What the tables say is in force. */
export interface StoredPolicy {
  readonly active?: { readonly bundle: BundleEntity; readonly activation: ActivationEntity };
  /** Approved, not revoked, not expired when read. */
  readonly exceptions: readonly ExceptionEntity[];
}

/** The whole state of one moment: the caller's transaction must be REPEATABLE READ. */
export async function readPolicy(manager: EntityManager): Promise<StoredPolicy> {
  const exceptions = await manager.find(ExceptionEntity, {
    where: { signature: Not(IsNull()), revokedAt: IsNull(), expiresAt: MoreThan(new Date()) },
    order: { id: 'ASC' },
  });
  const activation = await lastActivation(manager);
  if (activation === null) return { exceptions };
  const bundle = await manager.findOneByOrFail(BundleEntity, { version: activation.version });
  return { active: { bundle, activation }, exceptions };
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

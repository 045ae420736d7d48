import type { EntityManager } from 'typeorm';
import type { DecidedChange } from '#libs/audit-log';
import type { Change } from './changes.js';
import {
  ActivationEntity,
  BundleEntity,
  BundleStepEntity,
  EvaluatorTrustEntity,
  ExceptionEntity,
} from './entities/index.js';
import type { BundleStep, StepDetails } from './steps.js';

const STEP_OF = {
  'policy.validated': 'validated',
  'policy.simulated': 'simulated',
  'policy.proposed': 'proposed',
  'policy.rejected': 'rejected',
  'policy.approved': 'approved',
} as const satisfies Partial<Record<Change['kind'], BundleStep>>;

/** Lets a recorded change take effect in the tables. Runs in the transaction that marks it as applied. */
export async function applyChange(
  manager: EntityManager,
  { change, actor, decidedAt: at }: DecidedChange<Change>,
): Promise<void> {
  const step = (version: string, name: BundleStep, details: StepDetails): Promise<unknown> =>
    manager.insert(BundleStepEntity, { version, step: name, at, actor, details: { ...details } });

  switch (change.kind) {
    case 'policy.drafted': {
      const { version, policies, schema, comment } = change;
      await manager.insert(BundleEntity, {
        version,
        policies: { ...policies },
        schema,
        signature: null,
        author: actor,
        comment,
        createdAt: at,
      });
      await step(version, 'draft', {});
      return;
    }
    case 'policy.activated': {
      const { version, previous, rollBackTo, cause, details, signature } = change;
      if (signature !== undefined) await manager.update(BundleEntity, { version }, { signature });
      await manager.insert(ActivationEntity, { version, previous, rollBackTo, cause, at, actor });
      await step(version, 'active', { ...details, cause });
      if (previous !== null) await step(previous, 'superseded', { by: version, cause });
      return;
    }
    case 'policy.approved':
      await manager.update(
        BundleEntity,
        { version: change.version },
        { signature: change.signature },
      );
      await step(change.version, 'approved', change.details);
      return;
    case 'exception.requested': {
      const { kind: _, expiresAt, policies, ...asked } = change;
      await manager.insert(ExceptionEntity, {
        ...asked,
        policies: [...policies],
        expiresAt: new Date(expiresAt),
        requestedBy: actor,
        requestedAt: at,
      });
      return;
    }
    case 'exception.approved': {
      const { id, signature } = change;
      await manager.update(
        ExceptionEntity,
        { id },
        { signature, approvedBy: actor, approvedAt: at },
      );
      return;
    }
    case 'evaluator.distrusted':
    case 'evaluator.trusted': {
      const { kind, details, ...of } = change;
      const trusted = kind === 'evaluator.trusted';
      await manager.insert(EvaluatorTrustEntity, {
        ...of,
        trusted,
        at,
        actor,
        details: { ...details },
      });
      return;
    }
    case 'exception.revoked':
      await manager.update(ExceptionEntity, { id: change.id }, { revokedBy: actor, revokedAt: at });
      return;
    default:
      await step(change.version, STEP_OF[change.kind], change.details);
  }
}

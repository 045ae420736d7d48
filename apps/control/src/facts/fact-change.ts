import type { EntityManager } from 'typeorm';
import type { CustomerStatement } from '#libs/catalog';
import { CustomerFactEntity } from './customer-fact.entity.js';
import { keepVersion } from './fact-versions.js';

/** How customers' facts change. Each step says in the log who did it, and on which document. */
export type FactChange =
  | {
      readonly kind: 'fact.proposed';
      readonly id: string;
      readonly organisationId: string;
      readonly statement: CustomerStatement;
      readonly by: string;
      readonly at: string;
    }
  | {
      readonly kind: 'fact.approved' | 'fact.suspended' | 'fact.revoked';
      readonly id: string;
      readonly organisationId: string;
      readonly documentSha256: string;
      readonly by: string;
      readonly at: string;
    };

export async function applyFactChange(manager: EntityManager, change: FactChange): Promise<void> {
  const { id, organisationId, by } = change;
  const at = new Date(change.at);
  switch (change.kind) {
    case 'fact.proposed':
      await manager.insert(CustomerFactEntity, {
        id,
        organisationId,
        statement: change.statement as never,
        status: 'proposed',
        author: by,
        proposedAt: at,
      });
      return;
    case 'fact.approved':
      await manager.update(
        CustomerFactEntity,
        { id, status: 'proposed' },
        { status: 'in-force', approver: by, approvedAt: at },
      );
      break;
    case 'fact.suspended':
      await manager.update(
        CustomerFactEntity,
        { id, status: 'in-force' },
        { status: 'suspended', suspendedBy: by, suspendedAt: at },
      );
      break;
    case 'fact.revoked':
      await manager.update(
        CustomerFactEntity,
        { id },
        { status: 'revoked', revokedBy: by, revokedAt: at },
      );
      break;
  }
  await keepVersion(manager, organisationId);
}

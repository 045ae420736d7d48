import type { EntityManager } from 'typeorm';
import type { CustomerStatement } from '#libs/catalog';
import { CustomerFactEntity } from './customer-fact.entity.js';

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
      readonly kind: 'fact.approved' | 'fact.revoked';
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
      return;
    case 'fact.revoked':
      await manager.update(
        CustomerFactEntity,
        { id },
        { status: 'revoked', revokedBy: by, revokedAt: at },
      );
      return;
  }
}

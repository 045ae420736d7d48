import type { EntityManager } from 'typeorm';
import { CorrectionEntity, type CorrectionContent } from './correction.entity.js';

interface Said {
  readonly id: string;
  readonly organisationId: string;
  /** The ledger that keeps the organisation's books. */
  readonly ledgerId: string;
  readonly generationId: string;
  readonly by: string;
  readonly at: string;
}

/** How corrections change. Only an approved one is a record that the ledger posts from. */
export type CorrectionChange =
  | (Said & CorrectionContent & { readonly kind: 'correction.proposed'; readonly reason: string })
  | (Said &
      CorrectionContent & {
        readonly kind: 'correction.approved';
        readonly number: number;
        readonly author: string;
        readonly reason: string;
      })
  | (Said & { readonly kind: 'correction.withdrawn' });

export const correctionRecord = (
  change: Extract<CorrectionChange, { kind: 'correction.approved' }>,
) => ({
  type: 'custos.ledger.correction.v1' as const,
  subject: change.generationId,
  data: {
    correctionId: change.id,
    generationId: change.generationId,
    organisationId: change.organisationId,
    number: change.number,
    at: change.at,
    author: change.author,
    approver: change.by,
    reason: change.reason,
    ...contentOf(change),
  },
});

export const contentOf = ({ usage, amount }: CorrectionContent): CorrectionContent => ({
  ...(usage !== undefined && { usage }),
  ...(amount !== undefined && { amount }),
});

export async function applyCorrectionChange(
  manager: EntityManager,
  change: CorrectionChange,
): Promise<void> {
  const { id, by } = change;
  const at = new Date(change.at);
  switch (change.kind) {
    case 'correction.proposed':
      await manager.insert(CorrectionEntity, {
        id,
        organisationId: change.organisationId,
        generationId: change.generationId,
        number: null,
        content: contentOf(change) as never,
        reason: change.reason,
        status: 'proposed',
        author: by,
        proposedAt: at,
      });
      return;
    case 'correction.approved':
      await manager.update(
        CorrectionEntity,
        { id, status: 'proposed' },
        { status: 'approved', number: change.number, decidedBy: by, decidedAt: at },
      );
      return;
    case 'correction.withdrawn':
      await manager.update(
        CorrectionEntity,
        { id, status: 'proposed' },
        { status: 'withdrawn', decidedBy: by, decidedAt: at },
      );
      return;
  }
}

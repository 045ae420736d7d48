import type { CorrectionContent } from './correction.entity.js';

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

import type { RefundOf } from '#libs/audit-events';

interface Said {
  readonly id: string;
  readonly organisationId: string;
  /** The ledger that keeps the organisation's books, and decides. */
  readonly ledgerId: string;
  readonly by: string;
  readonly at: string;
}

/** How refunds change. Only an approved one is a record that the ledger decides on. */
export type RefundChange =
  | (Said & {
      readonly kind: 'refund.proposed';
      readonly idempotencyKey: string;
      readonly of: RefundOf;
      readonly reason: string;
    })
  | (Said & {
      readonly kind: 'refund.approved';
      readonly of: RefundOf;
      readonly author: string;
      readonly reason: string;
    })
  | (Said & { readonly kind: 'refund.withdrawn' });

/** What the ledger folds. */
export const refundRecord = (change: Extract<RefundChange, { kind: 'refund.approved' }>) => ({
  type: 'custos.ledger.refund.v1' as const,
  subject: change.organisationId,
  data: {
    refundId: change.id,
    organisationId: change.organisationId,
    at: change.at,
    author: change.author,
    approver: change.by,
    reason: change.reason,
    of: change.of,
  },
});

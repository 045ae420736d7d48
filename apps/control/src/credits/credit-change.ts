import type { LedgerCredit } from '#libs/audit-events';

interface Said {
  readonly id: string;
  readonly organisationId: string;
  /** The ledger that keeps the organisation's books. */
  readonly ledgerId: string;
  readonly by: string;
  readonly at: string;
}

interface Purchase {
  readonly idempotencyKey: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  readonly fee: LedgerCredit['fee'];
  readonly reference?: string;
}

/** How purchases of credit change. Only what one may give alone, or two have agreed on, is a record that the ledger posts. */
export type CreditChange =
  | (Said & Purchase & { readonly kind: 'credit.bought' })
  | (Said & Purchase & { readonly kind: 'credit.proposed' })
  | (Said &
      Omit<Purchase, 'idempotencyKey'> & {
        readonly kind: 'credit.approved';
        readonly author: string;
      })
  | (Said & { readonly kind: 'credit.withdrawn' });

export type CreditGiven = Extract<CreditChange, { kind: 'credit.bought' | 'credit.approved' }>;

/** What the ledger folds. */
export const creditRecord = (change: CreditGiven) => ({
  type: 'custos.ledger.credit.v1' as const,
  subject: change.organisationId,
  data: {
    creditId: change.id,
    organisationId: change.organisationId,
    at: change.at,
    amountPicoUsd: change.amountPicoUsd,
    feePicoUsd: change.feePicoUsd,
    fee: change.fee,
    ...(change.kind === 'credit.approved'
      ? { author: change.author, approver: change.by }
      : { author: change.by }),
    ...(change.reference === undefined ? {} : { reference: change.reference }),
  },
});

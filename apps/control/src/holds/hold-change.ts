import type { LegalHoldScope } from '#libs/audit-events';

interface Said {
  readonly id: string;
  readonly ledgerId: string;
  readonly by: string;
  readonly at: string;
}

/** How holds change. Only an approved beginning and an approved end bind the ledger. */
export type HoldChange =
  | (Said & {
      readonly kind: 'hold.proposed';
      readonly scope: LegalHoldScope;
      readonly matter: string;
      readonly reason: string;
    })
  | (Said & { readonly kind: 'hold.withdrawn' })
  | (Said & {
      readonly kind: 'hold.set';
      readonly scope: LegalHoldScope;
      readonly matter: string;
      readonly reason: string;
      readonly author: string;
    })
  | (Said & { readonly kind: 'hold.lift_proposed'; readonly reason: string })
  | (Said & { readonly kind: 'hold.lift_withdrawn' })
  | (Said & { readonly kind: 'hold.lifted'; readonly reason: string; readonly author: string });

type Binding = Extract<HoldChange, { kind: 'hold.set' | 'hold.lifted' }>;

export const isBindingHold = (change: { readonly kind: string }): change is Binding =>
  change.kind === 'hold.set' || change.kind === 'hold.lifted';

/** What the ledger folds. */
export function holdRecord(change: Binding) {
  const { id, at, author, by, reason } = change;
  const said = { holdId: id, at, author, approver: by, reason };
  return change.kind === 'hold.set'
    ? {
        type: 'custos.legal_hold.set.v1' as const,
        subject: id,
        data: { ...said, matter: change.matter, scope: change.scope },
      }
    : { type: 'custos.legal_hold.lifted.v1' as const, subject: id, data: said };
}

import type { EntityManager } from 'typeorm';
import type { LedgerCredit } from '#libs/audit-events';
import { CreditEntity } from './credit.entity.js';

/** Credit is bought: its record is what the ledger posts from. */
export interface CreditChange {
  readonly kind: 'credit.bought';
  readonly id: string;
  readonly organisationId: string;
  /** The ledger that keeps the organisation's books. */
  readonly ledgerId: string;
  readonly idempotencyKey: string;
  readonly amountPicoUsd: string;
  readonly feePicoUsd: string;
  readonly fee: LedgerCredit['fee'];
  readonly reference?: string;
  readonly by: string;
  readonly at: string;
}

export const creditRecord = (change: CreditChange) => ({
  type: 'custos.ledger.credit.v1' as const,
  subject: change.organisationId,
  data: {
    creditId: change.id,
    organisationId: change.organisationId,
    at: change.at,
    amountPicoUsd: change.amountPicoUsd,
    feePicoUsd: change.feePicoUsd,
    fee: change.fee,
    author: change.by,
    ...(change.reference === undefined ? {} : { reference: change.reference }),
  },
});

export async function applyCreditChange(
  manager: EntityManager,
  change: CreditChange,
): Promise<void> {
  await manager.insert(CreditEntity, {
    id: change.id,
    organisationId: change.organisationId,
    idempotencyKey: change.idempotencyKey,
    amountPicoUsd: BigInt(change.amountPicoUsd),
    feePicoUsd: BigInt(change.feePicoUsd),
    reference: change.reference ?? null,
    author: change.by,
    boughtAt: new Date(change.at),
  });
}

import type { EntityManager } from 'typeorm';
import type { RefundOf } from '#libs/audit-events';
import { DomainError } from '#libs/kernel';
import { CreditEntity } from '../credits/credit.entity.js';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import type { RefundChange } from './refund-change.js';
import { RefundEntity } from './refund.entity.js';

export interface ProposedRefund {
  readonly organisationId: string;
  readonly idempotencyKey: string;
  /** Either this … */
  readonly amountPicoUsd?: bigint | undefined;
  /** … or the purchase that is to go back whole. */
  readonly creditId?: string | undefined;
  readonly reason: string;
}

/** Money that goes out takes two persons, whatever the amount. Whether there is credit enough is the ledger's to say. */
export const REFUNDS: Procedure<RefundEntity, ProposedRefund, RefundChange> = {
  what: 'refund',
  entity: RefundEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'approved',
      kind: 'refund.approved',
      notBy: (refund) => refund.author,
      change: async (refund, said, { manager }) => ({
        kind: 'refund.approved',
        ...(await ofOrganisation(manager, refund, said)),
        of: ofRow(refund),
        author: refund.author,
        reason: refund.reason,
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'refund.withdrawn',
      change: async (refund, said, { manager }) => ({
        kind: 'refund.withdrawn',
        ...(await ofOrganisation(manager, refund, said)),
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
  ],
  settled: { withdraw: ['withdrawn'] },
  async propose(refund, said, { manager }) {
    const { organisationId, idempotencyKey, amountPicoUsd, creditId, reason } = refund;
    const organisation = await manager.findOneBy(OrganisationEntity, { id: organisationId });
    if (organisation === null) throw new DomainError('not_found', 'There is no such organization.');
    if (creditId !== undefined) {
      const bought = await manager.findOneBy(CreditEntity, { id: creditId, organisationId });
      if (bought === null)
        throw new DomainError('not_found', 'This organization made no such purchase.');
      if (bought.status !== 'bought')
        throw new DomainError('conflict', `This purchase is ${bought.status}: nothing was paid.`);
    }
    return {
      kind: 'refund.proposed',
      ...said,
      organisationId,
      ledgerId: organisation.ledgerId,
      idempotencyKey,
      of: refundOf(amountPicoUsd, creditId),
      reason,
    };
  },
};

/** Throws `conflict` unless exactly one of the two is there. */
function refundOf(amountPicoUsd?: bigint | null, creditId?: string | null): RefundOf {
  const [amount, purchase] = [amountPicoUsd ?? undefined, creditId ?? undefined];
  if (purchase !== undefined && amount === undefined) return { creditId: purchase };
  if (amount !== undefined && purchase === undefined) return { amountPicoUsd: amount.toString() };
  throw new DomainError('conflict', 'A refund is of an amount, or of one purchase.');
}

export const ofRow = ({ amountPicoUsd, creditId }: RefundEntity): RefundOf =>
  refundOf(amountPicoUsd, creditId);

async function ofOrganisation(
  manager: EntityManager,
  { organisationId }: RefundEntity,
  { id, by, at }: Said,
) {
  const { ledgerId } = await manager.findOneByOrFail(OrganisationEntity, { id: organisationId });
  return { id, organisationId, ledgerId, by, at };
}

export async function applyRefundChange(
  manager: EntityManager,
  change: RefundChange,
): Promise<void> {
  if (change.kind !== 'refund.proposed') return applyStep(manager, REFUNDS, change);
  await manager.insert(RefundEntity, {
    id: change.id,
    organisationId: change.organisationId,
    idempotencyKey: change.idempotencyKey,
    amountPicoUsd: 'amountPicoUsd' in change.of ? BigInt(change.of.amountPicoUsd) : null,
    creditId: 'creditId' in change.of ? change.of.creditId : null,
    reason: change.reason,
    status: 'proposed',
    author: change.by,
    proposedAt: new Date(change.at),
  });
}

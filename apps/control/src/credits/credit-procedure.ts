import type { EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import type { CreditChange } from './credit-change.js';
import { CreditEntity } from './credit.entity.js';
import { feeFor } from './credit-fee.js';
import { DEFAULT_CREDIT_TERMS, type CreditTerms } from './credit-terms.js';

export interface Purchase {
  readonly organisationId: string;
  readonly idempotencyKey: string;
  readonly amountPicoUsd: bigint;
  readonly reference?: string | undefined;
  readonly terms: CreditTerms | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** What goes beyond what one person may give alone takes a second one. */
export const CREDITS: Procedure<CreditEntity, Purchase, CreditChange> = {
  what: 'credit',
  entity: CreditEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'bought',
      kind: 'credit.approved',
      notBy: (credit) => credit.author,
      change: async (credit, said, { manager }) => ({
        kind: 'credit.approved',
        ...(await ofOrganisation(manager, credit, said)),
        amountPicoUsd: credit.amountPicoUsd.toString(),
        feePicoUsd: credit.feePicoUsd.toString(),
        fee: credit.fee ?? { basisPoints: 0, minimumPicoUsd: '0' },
        ...(credit.reference !== null && { reference: credit.reference }),
        author: credit.author,
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at, boughtAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'credit.withdrawn',
      change: async (credit, said, { manager }) => ({
        kind: 'credit.withdrawn',
        ...(await ofOrganisation(manager, credit, said)),
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
  ],
  settled: { withdraw: ['withdrawn'] },
  async propose(purchase, said, { manager }) {
    const { organisationId, idempotencyKey, amountPicoUsd, reference } = purchase;
    const { fee, alonePicoUsdPerDay } = purchase.terms ?? DEFAULT_CREDIT_TERMS;
    const organisation = await manager.findOneBy(OrganisationEntity, { id: organisationId });
    if (organisation === null) throw new DomainError('not_found', 'There is no such organization.');
    const given = await givenAlone(manager, Date.parse(said.at) - DAY_MS);
    return {
      kind: given + amountPicoUsd > alonePicoUsdPerDay ? 'credit.proposed' : 'credit.bought',
      ...said,
      organisationId,
      ledgerId: organisation.ledgerId,
      idempotencyKey,
      amountPicoUsd: amountPicoUsd.toString(),
      feePicoUsd: feeFor(amountPicoUsd, fee).toString(),
      fee: { basisPoints: fee.basisPoints, minimumPicoUsd: fee.minimumPicoUsd.toString() },
      ...(reference === undefined ? {} : { reference }),
    };
  },
};

/** By whomever and to whomever, since then. */
async function givenAlone(manager: EntityManager, sinceMs: number): Promise<bigint> {
  const [row] = await manager.query<{ given: string }[]>(
    `select coalesce(sum(amount_pico_usd), 0)::text as given from control.credit
     where status = 'bought' and alone and bought_at > $1`,
    [new Date(sinceMs)],
  );
  return BigInt(row?.given ?? 0);
}

async function ofOrganisation(
  manager: EntityManager,
  { organisationId }: CreditEntity,
  { id, by, at }: Said,
) {
  const { ledgerId } = await manager.findOneByOrFail(OrganisationEntity, { id: organisationId });
  return { id, organisationId, ledgerId, by, at };
}

export async function applyCreditChange(
  manager: EntityManager,
  change: CreditChange,
): Promise<void> {
  if (change.kind === 'credit.approved' || change.kind === 'credit.withdrawn')
    return applyStep(manager, CREDITS, change);
  const at = new Date(change.at);
  const alone = change.kind === 'credit.bought';
  await manager.insert(CreditEntity, {
    id: change.id,
    organisationId: change.organisationId,
    idempotencyKey: change.idempotencyKey,
    amountPicoUsd: BigInt(change.amountPicoUsd),
    feePicoUsd: BigInt(change.feePicoUsd),
    fee: change.fee,
    reference: change.reference ?? null,
    status: alone ? 'bought' : 'proposed',
    alone,
    author: change.by,
    proposedAt: at,
    boughtAt: alone ? at : null,
  });
}

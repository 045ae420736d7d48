import type { EntityManager } from 'typeorm';
import { applyStep, type Procedure, type Said, type StillSo } from '../dual-control/procedure.js';
import { ErasureEntity } from './erasure.entity.js';

export interface NewErasure {
  readonly organisationId: string;
  readonly ledgerId: string;
  readonly subjectKeyId: string;
  readonly reason: string;
  readonly ticket?: string;
}

/** How erasures change. From the record of an approved one on the key is destroyed, whatever ends in between. */
export type ErasureChange =
  | (Said & NewErasure & { readonly kind: 'erasure.proposed' })
  | (Said & NewErasure & { readonly kind: 'erasure.approved'; readonly author: string })
  | (Said & {
      readonly kind: 'erasure.withdrawn';
      readonly organisationId: string;
      readonly ledgerId: string;
    });

/** What the log is told before the key goes. */
export const erasureRecord = (change: Extract<ErasureChange, { kind: 'erasure.approved' }>) => ({
  type: 'custos.erasure.executed.v1' as const,
  subject: change.subjectKeyId,
  data: {
    erasureId: change.id,
    organisationId: change.organisationId,
    subjectKeyId: change.subjectKeyId,
    at: change.at,
    author: change.author,
    approver: change.by,
    reason: change.reason,
    ...(change.ticket !== undefined && { ticket: change.ticket }),
  },
});

type DemandNoHold = (of: {
  readonly organisationId: string;
  readonly ledgerId: string;
  readonly subjectKeyId: string;
}) => Promise<StillSo | void>;

/**
 * A second person lets it happen; a legal hold stands against both. `demandNoHold` throws where there is one. Whether one
 * stands when the key is to be destroyed the vault asks by itself.
 */
export const erasures = (
  demandNoHold: DemandNoHold,
): Procedure<ErasureEntity, NewErasure, ErasureChange> => ({
  what: 'erasure',
  entity: ErasureEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'approved',
      kind: 'erasure.approved',
      notBy: (erasure) => erasure.author,
      beforehand: (erasure) => demandNoHold(erasure),
      change(erasure, said) {
        const { organisationId, ledgerId, subjectKeyId, reason, ticket, author } = erasure;
        return {
          kind: 'erasure.approved',
          ...said,
          organisationId,
          ledgerId,
          subjectKeyId,
          reason,
          ...(ticket !== null && { ticket }),
          author,
        };
      },
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'erasure.withdrawn',
      change: ({ organisationId, ledgerId }, said) => ({
        kind: 'erasure.withdrawn',
        ...said,
        organisationId,
        ledgerId,
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
  ],
  settled: { approve: ['approved', 'executed'], withdraw: ['withdrawn'] },
  propose: async (erasure, said) => ({ kind: 'erasure.proposed', ...erasure, ...said }),
});

const STEPS = erasures(async () => undefined);

export async function applyErasureChange(
  manager: EntityManager,
  change: ErasureChange,
): Promise<void> {
  if (change.kind !== 'erasure.proposed') return applyStep(manager, STEPS, change);
  const { id, by, at, kind: _, ...erasure } = change;
  await manager.insert(ErasureEntity, {
    ...erasure,
    id,
    status: 'proposed',
    author: by,
    proposedAt: new Date(at),
  });
}

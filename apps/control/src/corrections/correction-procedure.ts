import type { EntityManager } from 'typeorm';
import { DomainError } from '#libs/kernel';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import { contentOf, type CorrectionChange } from './correction-change.js';
import { CorrectionEntity, type CorrectionContent } from './correction.entity.js';

export interface ProposedCorrection extends CorrectionContent {
  readonly organisationId: string;
  readonly generationId: string;
  readonly reason: string;
}

/**
 * A second person lets a proposed correction into the books, or somebody takes it back before. What is in the books
 * stays there: only another correction replaces it.
 */
export const CORRECTIONS: Procedure<CorrectionEntity, ProposedCorrection, CorrectionChange> = {
  what: 'correction',
  entity: CorrectionEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'approved',
      kind: 'correction.approved',
      notBy: (correction) => correction.author,
      async change(correction, said, { manager }) {
        const { generationId, author, reason, content } = correction;
        const last = await manager.findOne(CorrectionEntity, {
          where: { generationId, status: 'approved' },
          order: { number: 'DESC' },
        });
        return {
          kind: 'correction.approved',
          ...(await ofGeneration(manager, correction, said)),
          ...contentOf(content),
          number: (last?.number ?? 0) + 1,
          author,
          reason,
        };
      },
      sets: ({ by, at }, change) => ({
        decidedBy: by,
        decidedAt: at,
        ...(change.kind === 'correction.approved' && { number: change.number }),
      }),
    },
    {
      decision: 'withdraw',
      from: 'proposed',
      to: 'withdrawn',
      kind: 'correction.withdrawn',
      change: async (correction, said, { manager }) => ({
        kind: 'correction.withdrawn',
        ...(await ofGeneration(manager, correction, said)),
      }),
      sets: ({ by, at }) => ({ decidedBy: by, decidedAt: at }),
    },
  ],
  settled: { withdraw: ['withdrawn'] },
  async propose(correction, said, { manager }) {
    const of = await manager.findOneBy(OrganisationEntity, { id: correction.organisationId });
    if (of === null) throw new DomainError('not_found', 'There is no such organization.');
    return { kind: 'correction.proposed', ledgerId: of.ledgerId, ...correction, ...said };
  },
};

async function ofGeneration(
  manager: EntityManager,
  { organisationId, generationId }: CorrectionEntity,
  { id, by, at }: Said,
) {
  const { ledgerId } = await manager.findOneByOrFail(OrganisationEntity, { id: organisationId });
  return { id, organisationId, ledgerId, generationId, by, at };
}

export async function applyCorrectionChange(
  manager: EntityManager,
  change: CorrectionChange,
): Promise<void> {
  if (change.kind !== 'correction.proposed') return applyStep(manager, CORRECTIONS, change);
  await manager.insert(CorrectionEntity, {
    id: change.id,
    organisationId: change.organisationId,
    generationId: change.generationId,
    number: null,
    content: contentOf(change) as never,
    reason: change.reason,
    status: 'proposed',
    author: change.by,
    proposedAt: new Date(change.at),
  });
}

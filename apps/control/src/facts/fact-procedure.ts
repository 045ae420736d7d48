import type { EntityManager } from 'typeorm';
import { expiryMs, type CustomerStatement } from '#libs/catalog';
import { DomainError } from '#libs/kernel';
import { applyStep, type Procedure, type Said } from '../dual-control/procedure.js';
import { OrganisationEntity } from '../entities/organisation.entity.js';
import { CustomerFactEntity } from './customer-fact.entity.js';
import type { FactChange } from './fact-change.js';
import { keepVersion } from './fact-versions.js';

export interface StatedFact {
  readonly organisationId: string;
  readonly statement: CustomerStatement;
}

/**
 * A second person lets a proposed fact take effect, or lets a suspended one go. Anybody with a say takes a fact out of
 * use alone: what it was about is then unknown, which admits no more than either having it or not.
 */
export const FACTS: Procedure<CustomerFactEntity, StatedFact, FactChange> = {
  what: 'fact',
  entity: CustomerFactEntity,
  steps: [
    {
      decision: 'approve',
      from: 'proposed',
      to: 'in-force',
      kind: 'fact.approved',
      notBy: (fact) => fact.author,
      change(fact, said) {
        if (Date.now() >= expiryMs(fact.statement.evidence.expiresOn))
          throw new DomainError('conflict', 'The document has expired.');
        return { kind: 'fact.approved', ...onDocument(fact, said) };
      },
      sets: ({ by, at }) => ({ approver: by, approvedAt: at }),
    },
    {
      decision: 'approve',
      from: 'suspended',
      to: 'revoked',
      kind: 'fact.revoked',
      notBy: (fact) => fact.suspendedBy,
      change: (fact, said) => ({ kind: 'fact.revoked', ...onDocument(fact, said) }),
      sets: ({ by, at }) => ({ revokedBy: by, revokedAt: at }),
    },
    {
      decision: 'withdraw',
      from: 'in-force',
      to: 'suspended',
      kind: 'fact.suspended',
      change: (fact, said) => ({ kind: 'fact.suspended', ...onDocument(fact, said) }),
      sets: ({ by, at }) => ({ suspendedBy: by, suspendedAt: at }),
    },
    {
      // What never was in force needs nobody's leave to go.
      decision: 'withdraw',
      from: 'proposed',
      to: 'revoked',
      kind: 'fact.revoked',
      change: (fact, said) => ({ kind: 'fact.revoked', ...onDocument(fact, said) }),
      sets: ({ by, at }) => ({ revokedBy: by, revokedAt: at }),
    },
  ],
  settled: { withdraw: ['suspended', 'revoked'] },
  async propose({ organisationId, statement }, said, { manager }) {
    if (!(await manager.existsBy(OrganisationEntity, { id: organisationId })))
      throw new DomainError('not_found', 'There is no such organization.');
    return { kind: 'fact.proposed', organisationId, statement, ...said };
  },
};

const onDocument = ({ organisationId, statement }: CustomerFactEntity, { id, by, at }: Said) => ({
  id,
  organisationId,
  documentSha256: statement.evidence.documentSha256,
  by,
  at,
});

export async function applyFactChange(manager: EntityManager, change: FactChange): Promise<void> {
  if (change.kind !== 'fact.proposed') {
    await applyStep(manager, FACTS, change);
    await keepVersion(manager, change.organisationId);
    return;
  }
  const { id, organisationId, statement, by, at } = change;
  await manager.insert(CustomerFactEntity, {
    id,
    organisationId,
    statement: statement as never,
    status: 'proposed',
    author: by,
    proposedAt: new Date(at),
  });
}

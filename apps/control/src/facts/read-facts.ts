import { In, type EntityManager } from 'typeorm';
import { factsSnapshot, type CustomerFact, type FactsSnapshot } from '#libs/catalog';
import { CustomerFactEntity } from './customer-fact.entity.js';

/**
 * What is in force of all organisations. Facts not yet valid, or no longer, are in it: their readers know the time, and
 * one that has expired still says that nothing is known; so does a suspended one.
 */
export async function readFacts(manager: EntityManager): Promise<FactsSnapshot> {
  return factsSnapshot(await factsInForce(manager));
}

/** Of one organisation, or of all. */
export async function factsInForce(
  manager: EntityManager,
  organisationId?: string,
): Promise<readonly CustomerFact[]> {
  const rows = await manager.findBy(CustomerFactEntity, {
    status: In(['in-force', 'suspended']),
    ...(organisationId !== undefined && { organisationId }),
  });
  return rows.map(({ id, organisationId: of, statement, status }) => ({
    id,
    organisationId: of,
    ...statement,
    ...(status === 'suspended' && { suspended: true as const }),
  }));
}

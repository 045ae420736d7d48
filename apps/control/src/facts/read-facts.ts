import type { EntityManager } from 'typeorm';
import { factsSnapshot, type FactsSnapshot } from '#libs/catalog';
import { CustomerFactEntity } from './customer-fact.entity.js';

/**
 * What is in force of all organisations. Facts not yet valid, or no longer, are in it: their readers know the time, and
 * one that has expired still says that nothing is known.
 */
export async function readFacts(manager: EntityManager): Promise<FactsSnapshot> {
  const rows = await manager.findBy(CustomerFactEntity, { status: 'in-force' });
  return factsSnapshot(
    rows.map(({ id, organisationId, statement }) => ({ id, organisationId, ...statement })),
  );
}

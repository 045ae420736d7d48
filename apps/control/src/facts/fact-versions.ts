import type { EntityManager } from 'typeorm';
import {
  FactsHistory,
  organisationFacts,
  type OrganisationFacts,
  type ToldChange,
} from '#libs/catalog';
import { CustomerFactEntity } from './customer-fact.entity.js';
import { factsInForce } from './read-facts.js';

/** Keeps what an organisation states now under the version that decisions cite. In the transaction of the change. */
export async function keepVersion(manager: EntityManager, organisationId: string): Promise<void> {
  const facts = await factsInForce(manager, organisationId);
  if (facts.length > 0) await keep(manager, organisationId, organisationFacts(facts));
}

/** Versions of before there was a table of them, from what is known of each fact: for the first start after it came. */
export async function keepEarlierVersions(manager: EntityManager): Promise<void> {
  const [{ kept } = { kept: false }] = await manager.query<{ kept: boolean }[]>(
    'select exists (select from control.fact_version) as kept',
  );
  if (kept) return;
  const history = new FactsHistory();
  const told = (await manager.find(CustomerFactEntity)).flatMap(changesOf);
  for (const { change } of told.toSorted((a, b) => a.atMs - b.atMs)) history.take(change);
  for (const version of history.versions)
    await keep(manager, version.facts[0]!.organisationId, version);
}

async function keep(
  manager: EntityManager,
  organisationId: string,
  { version, facts }: OrganisationFacts,
): Promise<void> {
  await manager.query(
    `insert into control.fact_version (version, organisation_id, facts) values ($1, $2, $3)
     on conflict do nothing`,
    [version, organisationId, JSON.stringify(facts)],
  );
}

function changesOf(
  fact: CustomerFactEntity,
): readonly { readonly atMs: number; readonly change: ToldChange }[] {
  const { id: subject, organisationId, statement } = fact;
  const at = (change: string, date: Date | null) =>
    date === null
      ? []
      : [
          {
            atMs: date.getTime(),
            change: { change, subject, values: { organisationId, statement } },
          },
        ];
  return [
    ...at('fact.proposed', fact.proposedAt),
    ...at('fact.approved', fact.approvedAt),
    ...at('fact.suspended', fact.suspendedAt),
    ...at('fact.revoked', fact.revokedAt),
  ];
}

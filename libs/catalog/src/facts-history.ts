// What organisations had stated at every moment, from the changes that the audit log tells of.
import { customerStatement, organisationFacts } from './customer-facts.js';
import type { CustomerFact, OrganisationFacts } from './customer-facts.js';

/** An administrative change as the log tells it; others than `fact.*` have no effect here. */
export interface ToldChange {
  readonly change: string;
  readonly subject: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * Every set of facts that was ever in force for one organisation, by the version that decisions cite. Built from the
 * changes in the order of the log; one that is told twice (a relay that was killed) changes nothing.
 */
export class FactsHistory {
  readonly #stated = new Map<string, CustomerFact>();
  readonly #inForce = new Map<string, Map<string, CustomerFact>>();
  readonly #versions = new Map<string, OrganisationFacts>();

  take({ change, subject: id, values }: ToldChange): void {
    const { organisationId } = values;
    if (!change.startsWith('fact.') || typeof organisationId !== 'string') return;
    if (change === 'fact.proposed') {
      const statement = customerStatement.safeParse(values['statement']);
      if (statement.success && !this.#stated.has(id))
        this.#stated.set(id, { id, organisationId, ...statement.data });
      return;
    }
    const stated = this.#stated.get(id);
    // Of another organisation than the one that proposed it, or never proposed: no change that control makes.
    if (stated?.organisationId !== organisationId) return;
    const own = this.#inForce.get(organisationId) ?? new Map<string, CustomerFact>();
    this.#inForce.set(organisationId, own);
    if (change === 'fact.approved') own.set(id, stated);
    else if (change === 'fact.suspended') own.set(id, { ...stated, suspended: true });
    else if (change === 'fact.revoked') own.delete(id);
    else return;
    if (own.size === 0) return;
    const now = organisationFacts([...own.values()]);
    this.#versions.set(now.version, now);
  }

  /** Undefined where these facts were never in force together. */
  of(version: string): OrganisationFacts | undefined {
    return this.#versions.get(version);
  }

  /** Versions in the order in which they came into force first. */
  get versions(): readonly OrganisationFacts[] {
    return [...this.#versions.values()];
  }
}

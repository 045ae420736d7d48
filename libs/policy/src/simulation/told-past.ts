// What the administrative changes in the audit log tell of the past: who asked was of which organisation and workspace,
// with which attributes, and which facts each organisation had stated. Today's tables are not asked.
import { FactsHistory, type OrganisationFacts, type ToldChange } from '#libs/catalog';

import type { ProfileAttributes } from './recorded-request.js';

export interface PastSources {
  /** Administrative changes in the order of the log. */
  readonly changes: AsyncIterable<{ readonly data: ToldChange }>;
  /**
   * A set of facts that was kept under its version, for where the log begins later. Undefined where there is none;
   * rejects where what is kept is not what its version says.
   */
  readonly keptFacts?: (version: string) => Promise<OrganisationFacts | undefined>;
}

export class ToldPast {
  readonly #organisations = new Map<string, Omit<ProfileAttributes, 'environment'>>();
  readonly #environments = new Map<string, string>();
  readonly #history = new FactsHistory();
  readonly #kept = new Map<string, OrganisationFacts | undefined>();

  private constructor(private readonly keptFacts: PastSources['keptFacts']) {}

  /** Administrative changes are few: they are read once and held. */
  static async read({ changes, keptFacts }: PastSources): Promise<ToldPast> {
    const past = new ToldPast(keptFacts);
    for await (const { data } of changes) past.#take(data);
    return past;
  }

  #take(change: ToldChange): void {
    const text = (name: string): string =>
      typeof change.values[name] === 'string' ? change.values[name] : '';
    // Neither changes after it was made, so the log's only word on each holds for every moment.
    if (change.change === 'organisation.created')
      this.#organisations.set(change.subject, {
        sector: text('sector'),
        jurisdiction: text('jurisdiction'),
      });
    else if (change.change === 'workspace.created')
      this.#environments.set(change.subject, text('environment'));
    else this.#history.take(change);
  }

  /** Undefined where the log does not tell. */
  attributesOf(of: {
    readonly organisationId: string;
    readonly workspaceId: string;
  }): ProfileAttributes | undefined {
    const organisation = this.#organisations.get(of.organisationId);
    const environment = this.#environments.get(of.workspaceId);
    return organisation === undefined || environment === undefined
      ? undefined
      : { ...organisation, environment };
  }

  /** Facts under the version that a decision cites; `derived` from the log's own changes, or only kept beside it. */
  async facts(
    version: string,
  ): Promise<{ readonly facts: OrganisationFacts; readonly derived: boolean } | undefined> {
    const told = this.#history.of(version);
    if (told) return { facts: told, derived: true };
    if (!this.#kept.has(version)) this.#kept.set(version, await this.keptFacts?.(version));
    const kept = this.#kept.get(version);
    return kept && { facts: kept, derived: false };
  }
}

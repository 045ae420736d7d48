import { join } from 'node:path';
import { decodeOrganisationFacts } from '#libs/catalog';
import { TrafficQueries } from '#libs/ledger-store';
import { knownAppUrl, openPool } from '#libs/platform';
import {
  decodeBundle,
  ToldPast,
  type ExceptionScope,
  type PolicyBundle,
  type PolicyException,
} from '#libs/policy';
import { cliConfig } from '../cli.config.js';

/** A page of a month's generations may take seconds on a cold disk. */
const STATEMENT_TIMEOUT_MS = 120_000;

type Pool = ReturnType<typeof openPool>;

/** What the database of a deployment knows of the past: decided requests, and the bundles they were decided by. */
export class ThePast {
  readonly traffic: TrafficQueries;
  readonly #pool: Pool;
  #told: Promise<ToldPast> | undefined;
  readonly #bundles = new Map<string, PolicyBundle | undefined>();

  private constructor(url: string) {
    this.#pool = openPool(url, {
      max: 2,
      applicationName: 'custos replay',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    this.traffic = new TrafficQueries(this.#pool);
  }

  /**
   * By option, else `CUSTOS_DATABASE_URL`, else the embedded database of the data directory, which runs while the
   * gateway does. Undefined where there is none of them.
   */
  static async open(url: string | undefined): Promise<ThePast | undefined> {
    const { CUSTOS_DATABASE_URL, CUSTOS_DATA_DIR } = cliConfig();
    const found =
      url ?? CUSTOS_DATABASE_URL ?? (await knownAppUrl(join(CUSTOS_DATA_DIR, 'postgres')));
    return found === undefined ? undefined : new ThePast(found);
  }

  /** What the log tells of organisations, workspaces and their facts as they were. Read once. */
  told(): Promise<ToldPast> {
    return (this.#told ??= ToldPast.read({
      changes: this.traffic.administrativeChanges(),
      keptFacts: async (version) => {
        const facts = await this.traffic.keptFacts(version);
        return facts === undefined ? undefined : decodeOrganisationFacts(version, facts);
      },
    }));
  }

  /** Takes a bundle that is at hand in another way: the policies of a folder. */
  offer(bundle: PolicyBundle): void {
    this.#bundles.set(bundle.version, bundle);
  }

  /** Built again from the stored texts, and of the version it claims. Undefined where it was never stored. */
  async bundle(version: string): Promise<PolicyBundle | undefined> {
    if (this.#bundles.has(version)) return this.#bundles.get(version);
    const bundle = await this.#stored(version);
    this.#bundles.set(version, bundle);
    return bundle;
  }

  /**
   * The text of a catalog that was decided on, by the version that decisions cite, where the policy engine keeps it here.
   * Whoever reads it checks the version: it is the digest of these bytes.
   */
  async keptCatalog(version: string): Promise<Buffer | undefined> {
    if (!(await this.#has('policy.catalog_version'))) return undefined;
    const { rows } = await this.#pool.query<{ records: Buffer }>(
      `select records from policy.catalog_version where version = $1`,
      [version],
    );
    return rows[0]?.records;
  }

  /** Version of the bundle in force now, where the policy engine keeps its bundles here. */
  async active(): Promise<string | undefined> {
    if (!(await this.#has('policy.activation'))) return undefined;
    const { rows } = await this.#pool.query<{ version: string }>(
      `select version from policy.activation order by seq desc limit 1`,
    );
    return rows[0]?.version;
  }

  /** Approved exceptions by id, where the policy engine keeps them here. */
  async exceptions(ids: readonly string[]): Promise<readonly PolicyException[]> {
    if (ids.length === 0 || !(await this.#has('policy.exception'))) return [];
    const { rows } = await this.#pool.query<{
      id: string;
      policies: string[];
      scope_kind: ExceptionScope;
      scope_id: string;
      ticket: string;
      requested_by: string;
      approved_by: string;
      expires_at: Date;
    }>(
      `select id, policies, scope_kind, scope_id, ticket, requested_by, approved_by, expires_at
       from policy.exception where id = any($1::text[]) and approved_by is not null`,
      [ids],
    );
    return rows.map((r) => ({
      id: r.id,
      policies: r.policies,
      scope: { kind: r.scope_kind, id: r.scope_id },
      requestedBy: r.requested_by,
      approvedBy: r.approved_by,
      ticket: r.ticket,
      expiresAt: r.expires_at.toISOString(),
    }));
  }

  async #stored(version: string): Promise<PolicyBundle | undefined> {
    if (!(await this.#has('policy.bundle'))) return undefined;
    const { rows } = await this.#pool.query<{ policies: unknown; schema: string }>(
      `select policies, schema from policy.bundle where version = $1`,
      [version],
    );
    const [row] = rows;
    return row && decodeBundle({ version, ...row });
  }

  async #has(table: string): Promise<boolean> {
    const { rows } = await this.#pool.query<{ there: boolean }>(
      `select to_regclass($1) is not null as there`,
      [table],
    );
    return rows[0]?.there === true;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

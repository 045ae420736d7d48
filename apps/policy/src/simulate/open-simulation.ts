import { decodeOrganisationFacts } from '#libs/catalog';
import { DomainError, type Clock } from '#libs/kernel';
import { TrafficQueries } from '#libs/ledger-store';
import { openPool } from '#libs/platform';
import { decodeBundle, ToldPast, type PolicyBundle } from '#libs/policy';
import type { PolicyAppErrorCode } from '../policy.errors.js';
import type { PolicyService } from '../policy.service.js';
import { simulateBundle, type BundleSimulation } from './simulate-bundle.js';

/** Simulations are rare, and one reads page after page on one connection and looks up a bundle on another. */
const POOL_SIZE = 2;
/** A page of a month on a cold disk takes its time. */
const STATEMENT_TIMEOUT_MS = 120_000;

export interface SimulationParts {
  /** Where the ledger's tables are, and the policy engine's own. */
  readonly databaseUrl: string;
  readonly service: PolicyService;
  readonly clock: Clock;
}

export interface OpenSimulation {
  readonly simulate: (version: string, since: Date) => Promise<BundleSimulation>;
  close(): Promise<void>;
}

/** Simulation over the recorded traffic of one database. */
export function openSimulation(parts: SimulationParts): OpenSimulation {
  const { service, clock } = parts;
  const pool = openPool(parts.databaseUrl, {
    max: POOL_SIZE,
    applicationName: 'custos policy simulation',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const traffic = new TrafficQueries(pool);
  const bundleOf = async (version: string): Promise<PolicyBundle> => {
    const { rows } = await pool.query<{ policies: unknown; schema: string }>(
      `select policies, schema from policy.bundle where version = $1`,
      [version],
    );
    const [row] = rows;
    if (row) return decodeBundle({ version, ...row });
    throw new DomainError<PolicyAppErrorCode>('unknown_bundle', 'There is no such bundle.');
  };
  const keptCatalog = async (version: string): Promise<Buffer | undefined> => {
    const { rows } = await pool.query<{ records: Buffer }>(
      `select records from policy.catalog_version where version = $1`,
      [version],
    );
    return rows[0]?.records;
  };
  return {
    simulate: simulateBundle({
      traffic,
      past: () =>
        ToldPast.read({
          changes: traffic.administrativeChanges(),
          keptFacts: async (version) => {
            const facts = await traffic.keptFacts(version);
            return facts === undefined ? undefined : decodeOrganisationFacts(version, facts);
          },
        }),
      catalog: service.catalog,
      keptCatalog,
      clock,
      inForce: () => service.bundle,
      onMismatch: (found) => service.foundMismatch(found),
      bundleOf,
    }),
    close: () => pool.end(),
  };
}

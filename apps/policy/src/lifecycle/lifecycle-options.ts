import type { EventAppender } from '#libs/audit-log';
import type { CatalogFileName } from '#libs/catalog';
import type { HealthRegistry, Logger } from '#libs/platform';
import type { BundleSources } from '#libs/policy';
import type { PolicySigner } from '../policy-signer.js';

/**
 * Re-decides recorded traffic since an instant under a stored version, off the request path. Its answer is shown to
 * the asker; `summary` stands in the log.
 */
export type SimulateBundle = (
  version: string,
  since: Date,
) => Promise<{
  readonly summary: Readonly<Record<string, string | number | boolean>>;
  readonly report: unknown;
}>;

export interface LifecycleOptions {
  /** The app's role; `policyMigrations` have run. */
  readonly databaseUrl: string;
  /** Writes to the topic custos.control.v1; started before the module, stopped after it. */
  readonly writer: EventAppender;
  readonly signer: PolicySigner;
  /** The texts in the policy folder: the first bundle, and what the one in force is compared with later. */
  readonly folder: BundleSources;
  /** Files of the catalog that the service was given: kept for ever before a bundle comes into force over it. */
  readonly readCatalogFile: (name: CatalogFileName) => string;
  readonly logger: Logger;
  readonly health?: HealthRegistry;
  /** Absent: simulation answers 501. */
  readonly simulate?: SimulateBundle;
  /** Version of the product; default: its package's. */
  readonly software?: string;
  /** How long a caller waits for the log before it is told 202, or 503 behind an earlier change. Default 5 s. */
  readonly effectDeadlineMs?: number;
}

export const LIFECYCLE_OPTIONS = Symbol('LifecycleOptions');

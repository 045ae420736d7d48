import type { EventAppender } from '#libs/audit-log';
import type { FactsSnapshot } from '#libs/catalog';
import type { PrincipalsSnapshot } from '#libs/identity';
import type { HealthRegistry, InProcessSnapshotSource, Logger } from '#libs/platform';
import type { VaultKeeper } from '#libs/vault';
import type { CreditTerms } from './credits/credit-terms.js';

export interface ControlOptions {
  /** The app's role; migrations have run. */
  readonly databaseUrl: string;
  /** Writes to the topic custos.control.v1; started before the module, stopped after it. */
  readonly writer: EventAppender;
  /** The same in the logs of further ledgers, by ledger id: what concerns the books of an organisation goes to its own. */
  readonly writersOf?: ReadonlyMap<string, EventAppender>;
  /** Control publishes into it; who composes may read from it in process. */
  readonly principals: InProcessSnapshotSource<PrincipalsSnapshot>;
  /** The same for what customers state of their contracts. */
  readonly facts: InProcessSnapshotSource<FactsSnapshot>;
  /** Default: a fee of 5.5 %, at least USD 0.80; USD 100 a day by single persons. */
  readonly creditTerms?: CreditTerms;
  /** The content vault; absent: the deployment has none, and nothing is ever kept. Closed with the module. */
  readonly vault?: VaultKeeper;
  readonly internalToken: string;
  readonly logger: Logger;
  readonly health?: HealthRegistry;
  /** How long a caller waits for the log before it is told 202, or 503 behind an earlier change. Default 5 s. */
  readonly effectDeadlineMs?: number;
}

export const CONTROL_OPTIONS = Symbol('ControlOptions');

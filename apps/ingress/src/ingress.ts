import type { Catalog, FactsDirectory } from '#libs/catalog';
import type { PrincipalDirectory } from '#libs/identity';
import type { Clock } from '#libs/kernel';
import type { HealthRegistry, Logger, SnapshotSource, Telemetry } from '#libs/platform';
import { describeError, isStale } from '#libs/platform';
import type { EvaluatorFinding, PolicyInForce } from '#libs/policy';
import { UndiciDispatcher } from '#libs/providers';
import type { Outcome, RouteTable } from '#libs/routing';
import type { ContentStore } from '#libs/vault';
import { Authenticator } from './complete/authenticate.js';
import { AvailableEndpoints } from './complete/available-endpoints.js';
import { Completions } from './complete/complete.js';
import { KeyedDigest } from './complete/keyed-digest.js';
import { Lanes } from './complete/lanes.js';
import { RouteHealth } from './complete/route-health.js';
import { RunRegistry } from './complete/run-registry.js';
import { TargetResolver, type TargetSettings } from './complete/targets.js';
import { ColdDecider } from './decide/cold-decider.js';
import { DecisionService } from './decide/decision.service.js';
import type { IngressSettings } from './ingress.config.js';
import { openLane, type LedgerLink, type OpenLane } from './open-lane.js';
import { IngressMetrics } from './telemetry/ingress-metrics.js';
import { ContentVault } from './vault/content-vault.js';

/** Progress of a long stream is recorded this often: what a crash can leave unknown. */
const PROGRESS_MS = 2_000;
const RETRY_AFTER_SECONDS = 2;
const WRITER_STOP_DEADLINE_MS = 5_000;
/** What waits for the vault when the process ends is stored until then, and given up after. */
const VAULT_DRAIN_MS = 3_000;

export interface IngressParts {
  readonly settings: IngressSettings;
  readonly catalog: Catalog;
  /** Folder the decision worker loads the same catalog from. */
  readonly catalogDir: string;
  readonly targets: TargetSettings;
  /** At least one; each organisation belongs to one of them, or to another ingress. */
  readonly ledgers: readonly LedgerLink[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly telemetry: Telemetry;
  readonly health: HealthRegistry;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  readonly bundles: SnapshotSource<PolicyInForce>;
  /** What customers state of their own contracts. */
  readonly facts: SnapshotSource<FactsDirectory>;
  readonly routes: SnapshotSource<RouteTable>;
  /** Tells the routing service how an attempt ended. */
  readonly report: (outcome: Outcome) => void;
  /** Has the policy engine remember a finding against the compiled evaluator, over restarts and for all processes. */
  readonly reportMismatch: (found: EvaluatorFinding) => void;
  /** Key of the digests in the log; whoever holds it can link equal bodies. */
  readonly digestKey: Buffer;
  /** Where organisations that ask for it have their content kept; absent: nowhere. Closed with the ingress. */
  readonly vault?: ContentStore;
  /** The log refuses this writer for ever: the process should end. */
  readonly onFatal: (error: Error) => void;
}

/** The data plane put together: everything a request needs, in memory, in one process. */
export class Ingress {
  readonly completions: Completions;
  readonly #runs: RunRegistry;
  readonly #dispatcher: UndiciDispatcher;
  readonly #cold: ColdDecider;
  readonly #lanes: Lanes<OpenLane>;
  readonly #vault: ContentVault | undefined;

  constructor(private readonly parts: IngressParts) {
    const { settings, clock, catalog } = parts;
    this.#runs = new RunRegistry(clock, {
      keepAliveMs: settings.CUSTOS_KEEP_ALIVE,
      progressMs: PROGRESS_MS,
      readerIdleMs: settings.CUSTOS_READER_IDLE_TIMEOUT,
    });
    const metrics = new IngressMetrics(parts.telemetry, () => this.#runs.size);
    this.#lanes = new Lanes(
      parts.ledgers.map((link) =>
        openLane(link, {
          clock,
          logger: parts.logger,
          metrics,
          runs: this.#runs,
          appendDeadlineMs: settings.CUSTOS_APPEND_DEADLINE_MS,
          onFatal: parts.onFatal,
        }),
      ),
    );
    this.#dispatcher = new UndiciDispatcher();
    this.#cold = new ColdDecider(parts.catalogDir, catalog.version, {
      onFailure: parts.onFatal,
      onMismatch: ({ policyVersion, catalogVersion, endpointId }) => {
        decisions.forget(policyVersion);
        metrics.evaluatorsDisagreed();
        const what = { policyVersion, catalogVersion, endpoint: endpointId };
        parts.logger.error('decision.evaluators_disagreed', what);
        parts.reportMismatch({ policyVersion, catalogVersion, endpointId });
      },
    });
    const maxAgeMs = settings.CUSTOS_SNAPSHOT_MAX_AGE;
    const decisions = new DecisionService(
      catalog,
      parts.bundles,
      this.#cold,
      clock,
      maxAgeMs,
      parts.facts,
    );
    const health = new RouteHealth(parts.routes, clock, maxAgeMs, parts.report);
    this.#vault =
      parts.vault &&
      new ContentVault({
        store: parts.vault,
        clock,
        logger: parts.logger,
        hot: parts.telemetry.hot,
        partBytesMax: settings.CUSTOS_BODY_BYTES_MAX,
      });
    this.completions = new Completions({
      clock,
      catalog,
      authenticator: new Authenticator(parts.principals, clock, maxAgeMs, RETRY_AFTER_SECONDS),
      decisions,
      available: new AvailableEndpoints(new TargetResolver(catalog, parts.targets)),
      health,
      lanes: this.#lanes,
      runs: this.#runs,
      digest: new KeyedDigest(parts.digestKey),
      ...(this.#vault && { vault: this.#vault }),
      limits: {
        jsonDepthMax: settings.CUSTOS_JSON_DEPTH_MAX,
        holdOutputTokensMax: settings.CUSTOS_HOLD_OUTPUT_TOKENS,
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      },
      count: (what, code) => metrics.count(what, code),
      onInternalFault: (error, generation) =>
        parts.logger.error('completion.failed', { generation, ...describeError(error) }),
      run: {
        clock,
        dispatcher: this.#dispatcher,
        timeouts: {
          connectMs: settings.CUSTOS_CONNECT_TIMEOUT,
          firstContentMs: settings.CUSTOS_FIRST_CONTENT_TIMEOUT,
          idleMs: settings.CUSTOS_IDLE_TIMEOUT,
          totalMs: settings.CUSTOS_TOTAL_TIMEOUT,
        },
        retryAfterSeconds: RETRY_AFTER_SECONDS,
        onOutcome: (endpoint, attempt, firstContentMs) =>
          health.note(endpoint, attempt, firstContentMs),
        onClosed: (run, status) => {
          this.#runs.remove(run);
          metrics.closed(run, status, clock);
        },
        stopsBillingOnCancel: (id) => catalog.providers.get(id)?.stopsBillingOnCancel,
      },
    });
    this.#registerHealth(maxAgeMs);
  }

  get writerIds(): readonly string[] {
    return this.#lanes.all.map((lane) => lane.audit.writerId);
  }

  /** Opens the chain of each ledger's writer; rejects while a log does not answer. */
  async start(): Promise<void> {
    await Promise.all(this.#lanes.all.map((lane) => lane.audit.start()));
    await this.#vault?.start();
  }

  /** New requests are refused, running ones may end until the deadline, then the chain is closed. */
  async close(): Promise<void> {
    await this.#runs.close(this.parts.settings.CUSTOS_DRAIN_DEADLINE);
    await this.#vault?.close(VAULT_DRAIN_MS);
    await this.#dispatcher.close(1_000);
    await Promise.all(this.#lanes.all.map((lane) => lane.audit.stop(WRITER_STOP_DEADLINE_MS)));
    await this.#cold.close();
  }

  #registerHealth(maxAgeMs: number): void {
    const { health, clock, principals, bundles, facts, routes } = this.parts;
    health.register('audit log', () => {
      const silent = this.#lanes.all.filter((lane) => !lane.audit.accepting);
      if (silent.length === 0) return undefined;
      return `appends are not acknowledged: ${silent.map((lane) => lane.ledgerId).join(', ')}`;
    });
    const sources = { principals, 'policy bundle': bundles, "customers' facts": facts, routes };
    for (const [name, source] of Object.entries(sources))
      health.register(name, () => {
        const snapshot = source.current();
        if (!snapshot) return 'there is no snapshot yet';
        return isStale(snapshot, clock.nowMs(), maxAgeMs)
          ? 'older than its maximum age'
          : undefined;
      });
  }
}

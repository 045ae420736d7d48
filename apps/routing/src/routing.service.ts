import type { EventAppender } from '#libs/audit-log';
import type { Catalog } from '#libs/catalog';
import { DomainError, type Clock } from '#libs/kernel';
import { describeError, type InProcessSnapshotSource, type Logger } from '#libs/platform';
import {
  HealthTracker,
  routeTable,
  type EndpointHealth,
  type Outcome,
  type RouteTable,
} from '#libs/routing';
import type { RoutingAppErrorCode } from './routing.errors.js';
import { SwitchStore } from './switches/switch-store.js';

/** A reader polls once a second; publishing more often would only make digests. */
const PUBLISH_EVERY_MS = 1_000;
/** How soon a switch that another instance made, or that waited for the log, takes effect here. */
const SETTLE_EVERY_MS = 5_000;
/** How long an operator's request waits for the log. */
const APPEND_DEADLINE_MS = 5_000;

export interface RoutingServiceOptions {
  /** The app's role; the migrations must have run. */
  readonly databaseUrl: string;
  readonly catalog: Catalog;
  /** A writer on the control topic. */
  readonly events: EventAppender;
  /** Where the tables go: read in this process, served over HTTP by the module. */
  readonly routes: InProcessSnapshotSource<RouteTable>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface OutcomesReceived {
  readonly accepted: number;
  /** Endpoints that this catalog does not have: the ingress runs another version. */
  readonly unknown: number;
}

/**
 * Owns the route table: gathers outcomes of all ingresses, keeps the operator's switches, publishes both. A switch is
 * first written down, then recorded in the audit log, and only then takes effect.
 */
export class RoutingService {
  readonly #tracker = new HealthTracker();
  readonly #timers: NodeJS.Timeout[];
  #disabled: ReadonlySet<string> = new Set();
  #publishedVersion: string | undefined;
  #settling: Promise<void> = Promise.resolve();
  #fault: string | undefined;

  private constructor(
    private readonly options: RoutingServiceOptions,
    private readonly store: SwitchStore,
  ) {
    this.#timers = [
      setInterval(() => this.#publish(), PUBLISH_EVERY_MS),
      setInterval(() => void this.#settleQuietly(), SETTLE_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** Reads the switches and publishes the first table. Throws `store_unavailable`: without switches nothing is safe. */
  static async open(options: RoutingServiceOptions): Promise<RoutingService> {
    const store = await SwitchStore.open(options.databaseUrl);
    try {
      const disabled = await store.disabled();
      const service = new RoutingService(options, store);
      service.#disabled = new Set(disabled);
      service.#publish();
      void service.#settleQuietly();
      return service;
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  get catalog(): Catalog {
    return this.options.catalog;
  }

  get routes(): InProcessSnapshotSource<RouteTable> {
    return this.options.routes;
  }

  /** Why switches cannot be settled at present, for readiness; tables go on being published meanwhile. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** Takes in a batch, from HTTP or from an ingress in this process. Times ahead of our clock count as now. */
  reportOutcomes(batch: readonly Outcome[]): OutcomesReceived {
    const nowMs = this.options.clock.nowMs();
    let accepted = 0;
    for (const outcome of batch) {
      if (this.catalog.endpoint(outcome.endpointId) === undefined) continue;
      this.#tracker.record(outcome.atMs > nowMs ? { ...outcome, atMs: nowMs } : outcome);
      accepted++;
    }
    return { accepted, unknown: batch.length - accepted };
  }

  isEnabled(endpointId: string): boolean {
    return !this.#disabled.has(endpointId);
  }

  health(endpointId: string): EndpointHealth | undefined {
    return this.#tracker.snapshot(this.options.clock.nowMs()).endpoints.get(endpointId);
  }

  /**
   * Resolves when the change is in the log and in force. Throws `unknown_endpoint`; `store_unavailable` (nothing
   * changed); `log_unavailable` or `log_queue_full` (the wish is kept and takes effect once it is recorded).
   */
  async switchEndpoint(endpointId: string, enabled: boolean, actor: string): Promise<void> {
    if (this.catalog.endpoint(endpointId) === undefined)
      throw new DomainError<RoutingAppErrorCode>(
        'unknown_endpoint',
        'The catalog has no such endpoint.',
      );
    const changedAt = new Date(this.options.clock.nowMs());
    await this.store.intend({ endpointId, enabled, actor, changedAt });
    await this.#settle();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#settling.catch(() => undefined);
    await this.store.close();
  }

  /** One settlement at a time, in the order asked for. */
  #settle(): Promise<void> {
    this.#settling = this.#settling.catch(() => undefined).then(() => this.#settlePending());
    return this.#settling;
  }

  async #settlePending(): Promise<void> {
    for (const change of await this.store.pending()) {
      await this.options.events.append(
        'custos.control.changed.v1',
        change.endpointId,
        {
          at: change.changedAt.toISOString(),
          actor: change.actor,
          change: 'endpoint.switched',
          subject: change.endpointId,
          // The sequence makes a repeated record of one wish recognisable as such.
          values: { enabled: change.enabled, seq: change.seq },
        },
        { admission: true, deadlineMs: APPEND_DEADLINE_MS },
      );
      await this.store.markRecorded(change.seq, new Date(this.options.clock.nowMs()));
    }
    this.#disabled = new Set(await this.store.disabled());
    this.#publish();
  }

  async #settleQuietly(): Promise<void> {
    try {
      await this.#settle();
      this.#fault = undefined;
    } catch (error) {
      this.#fault = error instanceof DomainError ? error.message : 'switches cannot be settled';
      this.options.logger.warn('routing.switches_not_settled', describeError(error));
    }
  }

  #publish(): void {
    const health = this.#tracker.snapshot(this.options.clock.nowMs());
    const table = routeTable(this.catalog.version, this.#disabled, health);
    if (table.version === this.#publishedVersion) return;
    this.#publishedVersion = table.version;
    this.routes.publish(table.version, table);
  }
}

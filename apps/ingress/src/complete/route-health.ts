import type { AttemptOutcome, HealthRecorded } from '#libs/audit-events';
import type { Endpoint } from '#libs/catalog';
import { canonicalJson, sha256, type Clock, type Json } from '#libs/kernel';
import { DomainError } from '#libs/kernel';
import { isStale, type SnapshotSource } from '#libs/platform';
import {
  healthRows,
  HealthTracker,
  HealthView,
  type HealthSnapshot,
  type Outcome,
  type OutcomeResult,
  type PlanInputs,
  type RouteTable,
} from '#libs/routing';
import { iso } from './records.js';

/** Most rows in one health record; only endpoints that a plan reads are listed, and an event has a ceiling. */
const ROWS_MAX = 60;

export interface HealthSlice {
  readonly digest: string;
  record(): HealthRecorded;
}

/** What plans know of endpoints: own outcomes at once, everyone's by the route table. */
export class RouteHealth {
  readonly #tracker = new HealthTracker();
  readonly #view = new HealthView(this.#tracker);
  readonly #slices = new WeakMap<HealthSnapshot, Map<string, HealthSlice>>();
  #disabledOf: RouteTable | undefined;
  #disabled: ReadonlySet<string> = new Set();

  constructor(
    private readonly routes: SnapshotSource<RouteTable>,
    private readonly clock: Clock,
    private readonly maxAgeMs: number,
    private readonly report: (outcome: Outcome) => void,
  ) {}

  snapshot(): HealthSnapshot {
    const table = this.routes.current();
    const nowMs = this.clock.nowMs();
    // A switched-off endpoint must stay off: without a table that is fresh enough nobody knows which are.
    if (!table || isStale(table, nowMs, this.maxAgeMs))
      throw new DomainError('snapshot_stale', 'The route table is older than its maximum age.');
    return this.#view.current(table.value.health, nowMs);
  }

  disabled(): ReadonlySet<string> {
    const table = this.routes.current()?.value;
    if (table !== this.#disabledOf) {
      this.#disabledOf = table;
      this.#disabled = new Set(table?.disabledEndpoints);
    }
    return this.#disabled;
  }

  /**
   * The part of the snapshot that plans below one verdict read, content-addressed; worked out once per snapshot and
   * verdict: of one scope, two verdicts permit different endpoints, and a plan must recompute from what it cites.
   */
  slice(
    snapshot: HealthSnapshot,
    scope: string,
    inputs: PlanInputs,
    verdictDigest: string,
  ): HealthSlice {
    let ofSnapshot = this.#slices.get(snapshot);
    if (!ofSnapshot) this.#slices.set(snapshot, (ofSnapshot = new Map()));
    const known = ofSnapshot.get(verdictDigest);
    if (known) return known;
    const ids =
      inputs.permitted.length <= snapshot.endpoints.size
        ? inputs.permitted.map((e) => e.id)
        : [...snapshot.endpoints.keys()].filter((id) => inputs.permitted.some((e) => e.id === id));
    const rows = healthRows(snapshot.endpoints, ids).slice(0, ROWS_MAX);
    const digest = sha256(canonicalJson({ scope, rows } as unknown as Json));
    const slice: HealthSlice = {
      digest,
      record: () => ({
        digest,
        version: snapshot.version,
        takenAt: iso(snapshot.takenAtMs),
        scope,
        endpoints: rows as unknown as HealthRecorded['endpoints'],
      }),
    };
    ofSnapshot.set(verdictDigest, slice);
    return slice;
  }

  note(endpoint: Endpoint, attempt: AttemptOutcome, firstContentMs: number | undefined): void {
    const result = RESULT_OF[attempt.outcome];
    if (result === undefined) return;
    const outcome: Outcome = {
      endpointId: endpoint.id,
      atMs: this.clock.nowMs(),
      result,
      ...(firstContentMs === undefined ? {} : { firstTokenMs: Math.max(0, firstContentMs) }),
    };
    this.#tracker.record(outcome);
    this.report(outcome);
  }
}

const RESULT_OF: Readonly<Record<string, OutcomeResult | undefined>> = {
  completed: 'success',
  cancelled: 'cancelled',
  timeout: 'timeout',
  rate_limited: 'rate_limited',
  http_error: 'upstream_error',
  rejected: 'rejected',
  reset: 'reset',
  stream_error: 'reset',
  malformed: 'malformed',
  unreachable: 'unreachable',
};

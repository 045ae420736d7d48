import { setImmediate as nextTurn } from 'node:timers/promises';
import { CatalogShelf, type Catalog } from '#libs/catalog';
import type { Clock } from '#libs/kernel';
import type { TrafficQueries } from '#libs/ledger-store';
import {
  createDecider,
  outlookOf,
  recordedRequests,
  resimulate,
  rulesHit,
  type BundleOutlook,
  type EvaluatorFinding,
  type PolicyBundle,
  type Replan,
  type SimulationReport,
  type ToldPast,
} from '#libs/policy';
import { firstChoiceAgain, type RecordedPlanInputs } from '#libs/routing';

export interface SimulateOptions {
  readonly traffic: Pick<TrafficQueries, 'generations' | 'decision'>;
  /** What the log tells of organisations, workspaces and facts as they were. */
  readonly past: () => Promise<ToldPast>;
  readonly catalog: Catalog;
  /** The text of a catalog of the past by its version, for models that `catalog` no longer has; see `CatalogShelf`. */
  readonly keptCatalog: (version: string) => Promise<Uint8Array | undefined>;
  readonly clock: Clock;
  /** The bundle in force, that the simulated one is compared with. */
  readonly inForce: () => PolicyBundle;
  /** Told of a finding against the compiled evaluator. */
  readonly onMismatch?: (found: EvaluatorFinding) => void;
  /** A stored version. Rejects with `unknown_bundle`. */
  readonly bundleOf: (version: string) => Promise<PolicyBundle>;
}

export interface BundleSimulation {
  /** For the event in the log. */
  readonly summary: Readonly<Record<string, string | number | boolean>>;
  readonly report: SimulationReport;
}

/** Re-decides recorded traffic since an instant under a stored version. In turns, so that other requests go on. */
export const simulateBundle =
  (options: SimulateOptions) =>
  async (version: string, since: Date): Promise<BundleSimulation> => {
    const { catalog, traffic } = options;
    const { onMismatch } = options;
    const watched = onMismatch && { onMismatch };
    const [simulated, inForce] = [await options.bundleOf(version), options.inForce()];
    const over = (c: Catalog) => ({
      before: createDecider(inForce, c, watched),
      after: createDecider(simulated, c, watched),
    });
    const { before, after } = over(catalog);
    const shelf = new CatalogShelf({ atHand: catalog, kept: options.keptCatalog });
    const nowMs = options.clock.nowMs();
    const past = await options.past();
    let leftOut = 0;
    const overTraffic = await resimulate({
      recorded: recordedRequests({
        generations: traffic.generations({ from: since.toISOString() }),
        verdictOf: (digest) => traffic.decision(digest),
        attributesOf: (generation) => past.attributesOf(generation),
        skipped: () => (leftOut += 1),
      }),
      before,
      after,
      earlier: async (of) => {
        const kept = await shelf.of(of);
        return kept && over(kept);
      },
      nowMs,
      factsOf: async (version) => (await past.facts(version))?.facts,
      replan: firstChoice,
      breathe: () => nextTurn(),
    });
    const outlook = await outlookOf({ before, after, nowMs, hit: rulesHit(overTraffic) });
    const summary = { ...summaryOf(overTraffic, since, leftOut), ...outlookSummary(outlook) };
    return { summary, report: { ...overTraffic, outlook } };
  };

const summaryOf = (
  r: SimulationReport,
  since: Date,
  leftOut: number,
): BundleSimulation['summary'] => ({
  against: r.before,
  since: since.toISOString(),
  requests: r.requests,
  newlyRefused: r.newlyRefused,
  newlyAllowed: r.newlyAllowed,
  unchanged: r.unchanged,
  moved: r.moved,
  leftWithout: r.leftWithout.length,
  neverHit: r.neverHit.length,
  leftOut: leftOut + r.factsNotAtHand + r.unknownModel,
});

const outlookSummary = (o: BundleOutlook): BundleSimulation['summary'] => ({
  newlyUnreachable: o.newlyUnreachable.models,
  dead: o.dead.length,
  shadowed: o.shadowed.length,
});

/** With each request's own seed and requirements: only the rules make a difference. */
const firstChoice: Replan = ({ plan }, permitted, { models }) =>
  firstChoiceAgain(plan as RecordedPlanInputs | undefined, permitted, models);

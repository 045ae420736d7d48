// The outcome of a simulation as JSON: amounts are decimal strings of integer pico-USD.
import type { PolicyLayer } from '../types.js';

export interface Counts {
  readonly requests: number;
  readonly newlyRefused: number;
  readonly newlyAllowed: number;
  /** Allowed before and after, but the first choice differs. */
  readonly moved: number;
}

export interface DimensionRow extends Counts {
  readonly name: string;
}

export interface RuleRow {
  readonly id: string;
  readonly layer: PolicyLayer;
  readonly law: string;
  /** Requests of which it excluded some endpoint, under the old and the new bundle; absent = not in that bundle. */
  readonly before?: number;
  readonly after?: number;
  /** Newly refused requests in whose refusal it has a part. */
  readonly newlyRefused: number;
}

export interface Example {
  readonly generationId: string;
  readonly workspace: string;
  readonly model: string;
  /** Objecting policies: of the new bundle on a refusal, of the old one on a new permission. */
  readonly policies: readonly string[];
}

export interface SimulationReport {
  readonly before: string;
  readonly after: string;
  readonly catalogVersion: string;
  /** ISO instant at which both bundles were asked. */
  readonly at: string;
  readonly requests: number;
  readonly newlyRefused: number;
  readonly newlyAllowed: number;
  /** Same outcome before and after; `moved` are among them. */
  readonly unchanged: number;
  readonly moved: number;
  /** The old bundle today does not say what was recorded then (another bundle, catalog or date decided it). */
  readonly differsFromRecord: number;
  /** Of a model that neither this catalog has nor a kept one of then: left out. */
  readonly unknownModel: number;
  /** Of a model that this catalog no longer has: decided again over the one of then. */
  readonly onEarlierCatalog: number;
  /** Decided again on what their organisation had stated of its own contracts then. */
  readonly onOwnFacts: number;
  /** Left out: what their organisation had stated then is neither in the log nor kept. */
  readonly factsNotAtHand: number;
  /** Distinct questions asked of each bundle. */
  readonly groups: number;
  readonly byWorkspace: readonly DimensionRow[];
  readonly byModel: readonly DimensionRow[];
  /** Of the first choice before; after, where it was refused before. */
  readonly byProvider: readonly DimensionRow[];
  /** Seat of that provider and region of that endpoint: `US/global`; `?` = not established. */
  readonly byCountry: readonly DimensionRow[];
  readonly cost: CostRow;
  readonly quality: QualityRow;
  readonly rules: readonly RuleRow[];
  /** Rules of the new bundle that would not have touched any request of the period. */
  readonly neverHit: readonly string[];
  /** Nothing is left for this model in this workspace, of all that was asked there. */
  readonly leftWithout: readonly {
    readonly workspace: string;
    readonly model: string;
    readonly requests: number;
  }[];
  readonly examples: {
    readonly newlyRefused: readonly Example[];
    readonly newlyAllowed: readonly Example[];
  };
  /** What the bundle means whoever asks, from `outlookOf`; absent = only traffic was asked. */
  readonly outlook?: BundleOutlook;
}

/** Expected cost of the first choices. */
export interface CostRow {
  /** Requests allowed both times of which both costs are known. */
  readonly compared: number;
  readonly beforePicoUsd: string;
  readonly afterPicoUsd: string;
  /** Of what is no longer, and of what is newly allowed. */
  readonly refusedPicoUsd: string;
  readonly allowedPicoUsd: string;
  /** Requests whose cost is the mean of their group rather than a plan of their own. */
  readonly extrapolated: number;
}

/** Mean quality (0..1) of the first choices that were compared and whose model has a sourced score. */
export interface QualityRow {
  readonly compared: number;
  readonly before: number;
  readonly after: number;
}

/** Over the whole catalog and the documented context classes, whether or not such a request was recorded. */
export interface BundleOutlook {
  /** Context classes asked about; what follows holds for these and this catalog, without customers' own facts. */
  readonly contexts: number;
  readonly endpoints: number;
  /** Callable under the old bundle, no endpoint left under the new one. */
  readonly newlyUnreachable: {
    readonly models: number;
    readonly contexts: number;
    /** Pairs of model and context. */
    readonly pairs: number;
    /** At most 100 models. */
    readonly listed: readonly LostModel[];
  };
  /** Rules of the new bundle that match nothing, neither here nor in the traffic named as `hit`. */
  readonly dead: readonly string[];
  /** Rules that match and are never the only reason: without one of them nothing would open. */
  readonly shadowed: readonly string[];
  /** Match nothing here, and read what a request wishes for itself, which no context class does: nothing is said. */
  readonly notAsked: readonly string[];
}

export interface LostModel {
  readonly modelId: string;
  /** In so many contexts. */
  readonly contexts: number;
  /** The first three of them, for people. */
  readonly inContexts: readonly string[];
  /** Rules that shut an endpoint of it that was open, sorted. */
  readonly closedBy: readonly string[];
}

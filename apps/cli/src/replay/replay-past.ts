import type { GenerationOpened, GenerationRefused, PlanData } from '#libs/audit-events';
import type { Catalog, Endpoint } from '#libs/catalog';
import type { DecidedGeneration, TrafficFilter } from '#libs/ledger-store';
import {
  rederive,
  type PolicyBundle,
  type RecordedDecision,
  type Rederived,
  type ToldPast,
} from '#libs/policy';
import { isRecordedPlan, planAgain, type HealthSnapshot, NO_HEALTH } from '#libs/routing';
import { citedFor } from './cited-for.js';
import { DecidersOfThen } from './deciders-of-then.js';
import { HealthBook } from './health-book.js';
import type { ThePast } from './the-past.js';

/** Reasons and differences listed; all are counted. */
const LISTED_MAX = 50;
/** Verdicts remembered, least lately cited out first; one is up to 40 KB of references. */
const VERDICTS_MAX = 10_000;

export interface Tally {
  equal: number;
  different: number;
  notReplayable: number;
}

export interface ReplayReport {
  readonly holds: boolean;
  readonly generations: number;
  readonly decisions: Tally;
  readonly plans: Tally;
  /** Decisions on organisations' own facts that were derived again, and where these facts were found. */
  readonly onOwnFacts: {
    readonly decisions: number;
    /** Sets of facts that follow from the log's own changes. */
    readonly derivedFromLog: number;
    /** Sets that were only kept beside it: the log as it is here begins later. */
    readonly keptOnly: number;
  };
  readonly different: readonly {
    readonly id: string;
    readonly what: string;
    readonly differences: readonly string[];
  }[];
  /** Why, and how often. */
  readonly notReplayable: Readonly<Record<string, number>>;
}

type Outcome =
  | {
      readonly outcome: 'equal';
      readonly permitted: readonly Endpoint[];
      readonly recorded: RecordedDecision;
      readonly bundle: PolicyBundle;
      /** Of then: its endpoints are those permitted. */
      readonly catalog: Catalog;
    }
  | Exclude<Rederived, { readonly outcome: 'equal' }>;

/** Derives decisions and plans of the past again and compares them with their records. Reads only. */
export class ReplayPast {
  readonly #deciders: DecidersOfThen;
  readonly #verdicts = new Map<string, Outcome>();
  readonly #decisions: Tally = { equal: 0, different: 0, notReplayable: 0 };
  readonly #plans: Tally = { equal: 0, different: 0, notReplayable: 0 };
  readonly #different: { id: string; what: string; differences: readonly string[] }[] = [];
  readonly #why: Record<string, number> = {};
  readonly #ownFacts = new Map<string, boolean>();
  #onOwnFacts = 0;
  #generations = 0;

  /** `catalog`: the one at hand; others are looked up as they are cited. */
  constructor(
    private readonly past: ThePast,
    catalog: Catalog,
  ) {
    this.#deciders = new DecidersOfThen(past, catalog, (version) => this.#letGo(version));
  }

  async run(filter: TrafficFilter): Promise<ReplayReport> {
    const told = await this.past.told();
    const health = new HealthBook((digest) => this.past.traffic.healthSlice(digest));
    for await (const generation of this.past.traffic.generations(filter))
      await this.#replay(generation, health, told);
    const { different, equal } = this.#decisions;
    return {
      // What could not be derived again proves nothing; neither does an empty period.
      holds: different === 0 && this.#plans.different === 0 && equal > 0,
      generations: this.#generations,
      decisions: this.#decisions,
      plans: this.#plans,
      onOwnFacts: {
        decisions: this.#onOwnFacts,
        derivedFromLog: [...this.#ownFacts.values()].filter((derived) => derived).length,
        keptOnly: [...this.#ownFacts.values()].filter((derived) => !derived).length,
      },
      different: this.#different,
      notReplayable: this.#why,
    };
  }

  /** Derived again once, as long as it is remembered. */
  async #verdict(digest: string, told: ToldPast): Promise<Outcome> {
    let verdict = this.#verdicts.get(digest);
    if (verdict === undefined) {
      const recorded = await this.past.traffic.decision(digest);
      verdict =
        recorded === undefined
          ? { outcome: 'not-replayable', why: 'the recorded verdict is not in this database' }
          : await this.#derive(recorded.data, Date.parse(recorded.saidAt), told);
    }
    this.#verdicts.delete(digest);
    this.#verdicts.set(digest, verdict);
    if (this.#verdicts.size > VERDICTS_MAX)
      for (const oldest of this.#verdicts.keys()) {
        this.#verdicts.delete(oldest);
        break;
      }
    return verdict;
  }

  async #derive(data: RecordedDecision, saidAtMs: number, told: ToldPast): Promise<Outcome> {
    const decider = await this.#deciders.of(data);
    if (decider === undefined)
      return { outcome: 'not-replayable', why: `bundle ${data.policyVersion} is not at hand` };
    const exceptions = await this.past.exceptions(data.exceptions ?? []);
    const own = data.factsVersion === undefined ? undefined : await told.facts(data.factsVersion);
    const derived = rederive(data, decider, saidAtMs, exceptions, own?.facts);
    if (derived.outcome !== 'equal') return derived;
    if (own) this.#ownFacts.set(own.facts.version, own.derived);
    const { permitted } = derived.decision;
    const { bundle, catalog } = decider;
    return { outcome: 'equal', permitted, recorded: data, bundle, catalog };
  }

  /** Verdicts hold endpoints, and so a whole catalog: they go out of memory with it. */
  #letGo(catalogVersion: string): void {
    for (const [digest, verdict] of this.#verdicts)
      if (verdict.outcome === 'equal' && verdict.catalog.version === catalogVersion)
        this.#verdicts.delete(digest);
  }

  async #replay(row: DecidedGeneration, health: HealthBook, told: ToldPast): Promise<void> {
    const generation = row.opened ?? row.refused;
    const { decision, generationId: id } = generation;
    // Nothing was decided on a model that nobody knew.
    if (decision === undefined) return;
    this.#generations += 1;
    const verdict = await this.#verdict(decision.digest, told);
    if (verdict.outcome === 'not-replayable') {
      this.#cannot(this.#decisions, verdict.why);
      if (generation.plan) this.#cannot(this.#plans, 'its decision is not replayable');
      return;
    }
    if (verdict.outcome === 'different') {
      this.#differs(this.#decisions, id, 'decision', verdict.differences);
      return;
    }
    const own = verdict.recorded.factsVersion;
    const ofOwn = own === undefined ? undefined : (await told.facts(own))?.facts;
    const wrong = citedFor(generation, decision, verdict, told.attributesOf(generation), ofOwn);
    if (wrong.length > 0) this.#differs(this.#decisions, id, 'decision', wrong);
    else {
      this.#decisions.equal += 1;
      if (own !== undefined) this.#onOwnFacts += 1;
    }
    if (generation.plan) await this.#replan(generation, generation.plan, verdict, health);
  }

  async #replan(
    generation: GenerationOpened | GenerationRefused,
    recorded: PlanData,
    { permitted, catalog }: { readonly permitted: readonly Endpoint[]; readonly catalog: Catalog },
    health: HealthBook,
  ): Promise<void> {
    const over = callable(recorded, permitted);
    if (over === undefined)
      return this.#cannot(this.#plans, 'the record does not say which providers could be called');
    const digest = 'health' in generation.versions ? generation.versions.health : undefined;
    const known = digest === undefined ? undefined : await health.of(digest);
    if (digest !== undefined && known === undefined)
      return this.#cannot(this.#plans, 'the health that the plan read is not in this database');
    const same = (snapshot: HealthSnapshot, budgeted: boolean): boolean => {
      const disabled = recorded.excluded
        .filter((e) => e.reason === 'disabled')
        .map((e) => e.endpoint);
      const made = planAgain(
        { budgeted, disabled, ...recorded },
        { permitted: over, models: catalog.models, health: snapshot },
      );
      return made !== undefined && isRecordedPlan(recorded, made);
    };
    const snapshot = known?.snapshot ?? NO_HEALTH;
    // Records of before `budgeted` was one of their members may have been made either way.
    if (same(snapshot, false) || same(snapshot, true)) {
      this.#plans.equal += 1;
      return;
    }
    if (known?.cut)
      return this.#cannot(this.#plans, 'the recorded health is cut to its first rows');
    if (digest === undefined)
      return this.#cannot(this.#plans, 'a refusal does not cite the health that its plan read');
    this.#differs(this.#plans, generation.generationId, 'plan', [
      `recorded ${recorded.candidates.map((c) => c.endpoint).join(', ') || 'no candidate'}`,
    ]);
  }

  #cannot(tally: Tally, why: string): void {
    tally.notReplayable += 1;
    if (why in this.#why || Object.keys(this.#why).length < LISTED_MAX)
      this.#why[why] = (this.#why[why] ?? 0) + 1;
  }

  #differs(tally: Tally, id: string, what: string, differences: readonly string[]): void {
    tally.different += 1;
    if (this.#different.length < LISTED_MAX) this.#different.push({ id, what, differences });
  }
}

/** What of the permitted endpoints the gateway could call then; undefined where that was not recorded. */
function callable(
  recorded: PlanData,
  permitted: readonly Endpoint[],
): readonly Endpoint[] | undefined {
  const { providers } = recorded;
  if (providers !== undefined) {
    const could = new Set(providers);
    return permitted.filter((e) => could.has(e.providerId));
  }
  const { candidates, cut, excluded, excludedCut } = recorded;
  const considered = candidates.length + cut + excluded.length + excludedCut;
  return considered === permitted.length ? permitted : undefined;
}

import type { Catalog, Endpoint, OrganisationFacts } from '#libs/catalog';

import type { Decider } from '../decider.js';
import { factsKey, profileKey } from '../keys.js';
import { ALL_MODELS, type RecordedRequest } from './recorded-request.js';
import type { Choices, FirstChoice, Group } from './question-group.js';
import type { SimulationReport } from './report.js';
import { Tallies } from './tallies.js';

/** Distinct questions remembered; a decision over the whole catalog holds some 40 KB of references. */
const GROUPS_MAX = 20_000;
const BIG_GROUPS_MAX = 500;
/** Plans made anew per group; the mean of so many stands for the rest, and the report says for how many. */
const PLANS_PER_GROUP = 64;
/** The same where a plan ranks thousands of endpoints and takes a millisecond. */
const PLANS_PER_BIG_GROUP = 4;
const BIG = 500;
/** Requests between two turns of the event loop. */
const REQUESTS_PER_TURN = 256;

/** Plans one recorded request again over other endpoints of this catalog; undefined where none fits it. */
export type Replan = (
  request: RecordedRequest,
  permitted: readonly Endpoint[],
  catalog: Catalog,
) => FirstChoice | undefined;

type Asked = Pick<Decider, 'bundle' | 'catalog' | 'decideYielding'>;

export interface Simulation {
  readonly recorded: AsyncIterable<RecordedRequest> | Iterable<RecordedRequest>;
  /** Both over the same catalog: what differs is then the bundles' doing alone. */
  readonly before: Asked;
  readonly after: Asked;
  /**
   * The same two bundles over a catalog of the past, where it was kept: for requests of a model that the catalog at hand
   * no longer has. All others are asked over the one at hand, as they would be now.
   */
  readonly earlier?: (
    catalogVersion: string,
  ) => Promise<{ readonly before: Asked; readonly after: Asked } | undefined>;
  /** The instant at which both are asked: expired facts are expired for both. */
  readonly nowMs: number;
  /**
   * The organisation's own facts that a request was decided on, for both: what differs is then the rules' doing. A
   * request whose facts are not at hand is left out and counted. Exceptions are left out of both: what they lift comes
   * back by itself.
   */
  readonly factsOf?: (version: string) => Promise<OrganisationFacts | undefined>;
  readonly replan?: Replan;
  /** Gives the event loop a turn, on a server. */
  readonly breathe?: () => Promise<void>;
}

/**
 * Decides recorded requests again under two bundles and tells what the second would have changed. Input is
 * streamed; memory is bounded whatever the period. Nothing is recorded, sent or held.
 */
export async function resimulate(simulation: Simulation): Promise<SimulationReport> {
  const { after, before, nowMs } = simulation;
  const eras = new Eras(simulation);
  const tallies = new Tallies(before.bundle, after.bundle, after.catalog, nowMs);
  let seen = 0;
  for await (const request of simulation.recorded) {
    const groups = eras.ofNow(request) ?? (await eras.ofThen(request));
    const group =
      groups === undefined
        ? 'unknown-model'
        : (groups.known(request) ?? (await groups.decide(request)));
    if (group === 'unknown-model') tallies.unknownModel += 1;
    else if (group === 'facts-not-at-hand') tallies.factsNotAtHand += 1;
    else {
      if (groups !== eras.atHand) tallies.onEarlierCatalog += 1;
      tallies.add(request, group, choicesOf(request, group, simulation));
    }
    seen += 1;
    if (seen % REQUESTS_PER_TURN === 0) await simulation.breathe?.();
  }
  return tallies.report({
    at: new Date(nowMs).toISOString(),
    requests: seen,
    groups: eras.decided,
  });
}

/** `extrapolated`: the group's means stand in, no plan was made. */
function choicesOf(
  request: RecordedRequest,
  group: Group,
  { replan }: Simulation,
): { readonly choices: Choices | undefined; readonly extrapolated: boolean } {
  const { planned, before, after, catalog } = group;
  if (group.samePermitted || replan === undefined)
    return { choices: undefined, extrapolated: false };
  const size = Math.max(before.permitted.length, after.permitted.length);
  if (planned.count >= (size > BIG ? PLANS_PER_BIG_GROUP : PLANS_PER_GROUP))
    return { choices: planned.last, extrapolated: true };
  const choices: Choices = {
    before: before.permitted.length > 0 ? replan(request, before.permitted, catalog) : undefined,
    after: after.permitted.length > 0 ? replan(request, after.permitted, catalog) : undefined,
  };
  planned.count += 1;
  planned.beforePicoUsd += choices.before?.costPicoUsd ?? 0n;
  planned.afterPicoUsd += choices.after?.costPicoUsd ?? 0n;
  planned.last = choices;
  return { choices, extrapolated: false };
}

/** Everything two requests must share to be one question to both bundles: what neither reads is left out. */
class Questions {
  readonly #profiles = new Map<string, string>();

  constructor(private readonly simulation: Simulation) {}

  keyOf({ profile: p, facts, scope, factsVersion = '' }: RecordedRequest): string {
    const { before, after } = this.simulation;
    const who = `${p.organisationId}\n${p.workspaceId}\n${p.keyId}\n${p.sector}\n${p.jurisdiction}\n${p.environment}`;
    let profile = this.#profiles.get(who);
    if (profile === undefined) {
      if (this.#profiles.size >= GROUPS_MAX) this.#profiles.clear();
      profile = `${profileKey(p, before.bundle)}\n${profileKey(p, after.bundle)}`;
      this.#profiles.set(who, profile);
    }
    // A purpose that one of the two does not read may still be read by the other.
    return `${profile}\n${factsKey(facts, before.bundle)}\n${factsKey(facts, after.bundle)}\n${scope}\n${factsVersion}`;
  }
}

/** Catalogs of the past asked over at a time: requests come in order of time, so few are in use at any moment. */
const EARLIER_MAX = 2;

/** Groups over the catalog at hand, and over those of the past that requests of lost models need. */
class Eras {
  readonly atHand: Groups;
  readonly #earlier = new Map<string, Groups>();
  #let = 0;

  constructor(private readonly simulation: Simulation) {
    this.atHand = new Groups(simulation);
  }

  /** Distinct questions asked of each bundle. */
  get decided(): number {
    let decided = this.atHand.decided + this.#let;
    for (const groups of this.#earlier.values()) decided += groups.decided;
    return decided;
  }

  /** Undefined where the catalog at hand has nothing of what was asked for. */
  ofNow({ scope }: RecordedRequest): Groups | undefined {
    return endpointsOf(scope, this.simulation.after.catalog).length > 0 ? this.atHand : undefined;
  }

  /** Undefined where that catalog was never kept. */
  async ofThen({ catalogVersion: version }: RecordedRequest): Promise<Groups | undefined> {
    const { after, earlier } = this.simulation;
    if (version === undefined || version === after.catalog.version) return undefined;
    let groups = this.#earlier.get(version);
    if (groups === undefined) {
      const deciders = await earlier?.(version);
      if (deciders === undefined) return undefined;
      groups = new Groups({ ...this.simulation, ...deciders });
    }
    this.#earlier.delete(version);
    this.#earlier.set(version, groups);
    if (this.#earlier.size > EARLIER_MAX)
      for (const [longest, { decided }] of this.#earlier) {
        this.#earlier.delete(longest);
        this.#let += decided;
        break;
      }
    return groups;
  }
}

class Groups {
  readonly #small = new Map<string, Group>();
  readonly #big = new Map<string, Group>();
  readonly #questions: Questions;
  decided = 0;

  constructor(private readonly simulation: Simulation) {
    this.#questions = new Questions(simulation);
  }

  known(request: RecordedRequest): Group | undefined {
    const key = this.#questions.keyOf(request);
    const map = this.#of(request);
    const group = map.get(key);
    if (group === undefined || map.size < this.#limit(request) / 2) return group;
    // Under pressure the least lately used goes first.
    map.delete(key);
    map.set(key, group);
    return group;
  }

  async decide(request: RecordedRequest): Promise<Group | 'unknown-model' | 'facts-not-at-hand'> {
    const { before, after, nowMs } = this.simulation;
    const endpoints = endpointsOf(request.scope, after.catalog);
    if (endpoints.length === 0) return 'unknown-model';
    const { factsVersion } = request;
    const organisationFacts =
      factsVersion === undefined ? undefined : await this.simulation.factsOf?.(factsVersion);
    if (organisationFacts?.version !== factsVersion) return 'facts-not-at-hand';
    const input = {
      profile: request.profile,
      facts: request.facts,
      endpoints,
      nowMs,
      organisationFacts,
    };
    const was = await before.decideYielding(input);
    const is =
      before.bundle.version === after.bundle.version ? was : await after.decideYielding(input);
    const group: Group = {
      before: was,
      after: is,
      catalog: after.catalog,
      samePermitted: sameEndpoints(was.permitted, is.permitted),
      planned: { count: 0, beforePicoUsd: 0n, afterPicoUsd: 0n, last: undefined },
    };
    this.decided += 1;
    const map = this.#of(request);
    map.set(this.#questions.keyOf(request), group);
    if (map.size > this.#limit(request)) {
      for (const oldest of map.keys()) {
        map.delete(oldest);
        break;
      }
    }
    return group;
  }

  #of({ scope }: RecordedRequest): Map<string, Group> {
    return scope === ALL_MODELS ? this.#big : this.#small;
  }

  #limit({ scope }: RecordedRequest): number {
    return scope === ALL_MODELS ? BIG_GROUPS_MAX : GROUPS_MAX;
  }
}

const endpointsOf = (scope: string, catalog: Catalog): readonly Endpoint[] =>
  scope === ALL_MODELS ? catalog.endpoints : catalog.endpointsOf(scope);

/** Both are subsets of one list in its order. */
const sameEndpoints = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length && a.every((e, at) => e.ordinal === b[at]!.ordinal);

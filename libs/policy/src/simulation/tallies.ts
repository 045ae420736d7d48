import type { Catalog, Endpoint } from '#libs/catalog';

import { endpointFacts } from '../endpoint-facts.js';
import type { Decision, PolicyBundle } from '../types.js';
import type { RecordedRequest } from './recorded-request.js';
import type { Counts, DimensionRow, Example, RuleRow, SimulationReport } from './report.js';
import type { Choices, Group } from './question-group.js';

/** Rows kept per dimension; what comes later is counted under `(others)`. */
const ROWS_MAX = 2_000;
const OTHERS = '(others)';
const EXAMPLES_MAX = 20;
const LEFT_WITHOUT_MAX = 200;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Change = 'newlyRefused' | 'newlyAllowed' | 'moved' | undefined;

/** Sums over the stream. Everything here is bounded: rows by a ceiling, examples by their number. */
export class Tallies {
  unknownModel = 0;
  factsNotAtHand = 0;
  onEarlierCatalog = 0;
  #onOwnFacts = 0;
  readonly #total: Mutable<Counts> = none();
  #differsFromRecord = 0;
  readonly #workspaces = new Dimension();
  readonly #models = new Dimension();
  readonly #providers = new Dimension();
  readonly #countries = new Dimension();
  readonly #countryNames = new WeakMap<Endpoint, string>();
  readonly #cost = {
    compared: 0,
    before: 0n,
    after: 0n,
    refused: 0n,
    allowed: 0n,
    extrapolated: 0,
  };
  readonly #quality = { compared: 0, before: 0, after: 0 };
  readonly #rules = new Map<string, { before: number; after: number; newlyRefused: number }>();
  readonly #touched = new WeakMap<Group, TouchedRules>();
  readonly #pairs = new Map<string, { requests: number; refused: number; newlyRefused: number }>();
  readonly #refused: Example[] = [];
  readonly #allowed: Example[] = [];

  constructor(
    private readonly before: PolicyBundle,
    private readonly after: PolicyBundle,
    private readonly catalog: Catalog,
    private readonly nowMs: number,
  ) {}

  add(
    request: RecordedRequest,
    group: Group,
    {
      choices,
      extrapolated,
    }: { readonly choices: Choices | undefined; readonly extrapolated: boolean },
  ): void {
    const was = group.before.permitted.length > 0;
    const is = group.after.permitted.length > 0;
    if (was !== (request.outcome === 'permit')) this.#differsFromRecord += 1;
    if (request.factsVersion !== undefined) this.#onOwnFacts += 1;
    const change = changeOf(was, is, choices);
    count(this.#total, change);
    const { workspaceId } = request.profile;
    this.#workspaces.add(workspaceId, change);
    this.#models.add(request.scope, change);
    const chosen = was || is ? this.#chosen(request, group, choices) : undefined;
    if (chosen) {
      this.#providers.add(chosen.providerId, change);
      this.#countries.add(this.#countryOf(chosen, group), change);
    }
    this.#amounts(request, group, choices, extrapolated, was, is);
    this.#rulesOf(group, change);
    this.#pair(workspaceId, request.scope, is, change);
    this.#example(request, group, change);
  }

  report(whole: Pick<SimulationReport, 'at' | 'requests' | 'groups'>): SimulationReport {
    const { newlyRefused, newlyAllowed, moved } = this.#total;
    const rules = this.#ruleRows();
    const { cost, quality } = this.#figures();
    return {
      before: this.before.version,
      after: this.after.version,
      catalogVersion: this.catalog.version,
      ...whole,
      newlyRefused,
      newlyAllowed,
      unchanged: this.#total.requests - newlyRefused - newlyAllowed,
      moved,
      differsFromRecord: this.#differsFromRecord,
      unknownModel: this.unknownModel,
      onEarlierCatalog: this.onEarlierCatalog,
      onOwnFacts: this.#onOwnFacts,
      factsNotAtHand: this.factsNotAtHand,
      byWorkspace: this.#workspaces.rows(),
      byModel: this.#models.rows(),
      byProvider: this.#providers.rows(),
      byCountry: this.#countries.rows(),
      cost,
      quality,
      rules,
      neverHit: rules.filter((r) => r.after === 0).map((r) => r.id),
      leftWithout: this.#leftWithout(),
      examples: { newlyRefused: this.#refused, newlyAllowed: this.#allowed },
    };
  }

  /** Where it went, or would go: the endpoint that stands for the request in the tables. */
  #chosen(
    request: RecordedRequest,
    { catalog }: Group,
    choices: Choices | undefined,
  ): Endpoint | undefined {
    const planned = choices?.before ?? choices?.after;
    if (planned) return planned.endpoint;
    const first = request.plan?.candidates[0]?.endpoint;
    return first === undefined ? undefined : catalog.endpoint(first);
  }

  /** As rules read it: an expired fact is not established. */
  #countryOf(endpoint: Endpoint, { catalog }: Group): string {
    let country = this.#countryNames.get(endpoint);
    if (country === undefined) {
      const { hq = '?' } = endpointFacts(endpoint, catalog, this.nowMs);
      country = `${hq}/${endpoint.region}`;
      this.#countryNames.set(endpoint, country);
    }
    return country;
  }

  #amounts(
    request: RecordedRequest,
    group: Group,
    choices: Choices | undefined,
    extrapolated: boolean,
    was: boolean,
    is: boolean,
  ): void {
    const recorded = request.plan?.candidates[0];
    const own = group.samePermitted
      ? recorded?.expectedCostPicoUsd === undefined
        ? undefined
        : BigInt(recorded.expectedCostPicoUsd)
      : undefined;
    const means = group.planned;
    const n = BigInt(Math.max(1, means.count));
    const before = extrapolated ? means.beforePicoUsd / n : (choices?.before?.costPicoUsd ?? own);
    const after = extrapolated ? means.afterPicoUsd / n : (choices?.after?.costPicoUsd ?? own);
    const cost = this.#cost;
    if (extrapolated) cost.extrapolated += 1;
    if (was && !is) cost.refused += before ?? 0n;
    else if (is && !was) cost.allowed += after ?? 0n;
    if (!was || !is) return;
    if (before !== undefined && after !== undefined) {
      cost.compared += 1;
      cost.before += before;
      cost.after += after;
    }
    const qualityBefore = choices ? choices.before?.quality : recorded?.quality;
    const qualityAfter = choices ? choices.after?.quality : recorded?.quality;
    if (qualityBefore === undefined || qualityAfter === undefined) return;
    this.#quality.compared += 1;
    this.#quality.before += qualityBefore;
    this.#quality.after += qualityAfter;
  }

  #figures(): Pick<SimulationReport, 'cost' | 'quality'> {
    const { compared, before, after, refused, allowed, extrapolated } = this.#cost;
    const n = Math.max(1, this.#quality.compared);
    return {
      cost: {
        compared,
        beforePicoUsd: before.toString(),
        afterPicoUsd: after.toString(),
        refusedPicoUsd: refused.toString(),
        allowedPicoUsd: allowed.toString(),
        extrapolated,
      },
      quality: {
        compared: this.#quality.compared,
        before: round(this.#quality.before / n),
        after: round(this.#quality.after / n),
      },
    };
  }

  #rulesOf(group: Group, change: Change): void {
    let touched = this.#touched.get(group);
    if (touched === undefined) {
      touched = { before: objecting(group.before), after: objecting(group.after) };
      this.#touched.set(group, touched);
    }
    for (const id of touched.before) this.#rule(id).before += 1;
    for (const id of touched.after) {
      const rule = this.#rule(id);
      rule.after += 1;
      if (change === 'newlyRefused') rule.newlyRefused += 1;
    }
  }

  #rule(id: string): { before: number; after: number; newlyRefused: number } {
    let rule = this.#rules.get(id);
    if (rule === undefined) {
      rule = { before: 0, after: 0, newlyRefused: 0 };
      this.#rules.set(id, rule);
    }
    return rule;
  }

  #ruleRows(): RuleRow[] {
    const ids = new Set([
      ...Object.keys(this.before.citations),
      ...Object.keys(this.after.citations),
    ]);
    const rows: RuleRow[] = [];
    for (const id of [...ids].toSorted()) {
      const cited = this.after.citations[id] ?? this.before.citations[id];
      const hits = this.#rules.get(id) ?? { before: 0, after: 0, newlyRefused: 0 };
      // The baseline permit excludes nothing by design.
      if (cited === undefined || !isForbid(this.after.policies[id] ?? this.before.policies[id]))
        continue;
      rows.push({
        id,
        layer: cited.layer,
        law: cited.law,
        ...(id in this.before.citations && { before: hits.before }),
        ...(id in this.after.citations && { after: hits.after }),
        newlyRefused: hits.newlyRefused,
      });
    }
    return rows;
  }

  #pair(workspace: string, model: string, is: boolean, change: Change): void {
    const key = `${workspace}\n${model}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      if (this.#pairs.size >= ROWS_MAX * 10) return;
      pair = { requests: 0, refused: 0, newlyRefused: 0 };
      this.#pairs.set(key, pair);
    }
    pair.requests += 1;
    if (!is) pair.refused += 1;
    if (change === 'newlyRefused') pair.newlyRefused += 1;
  }

  #leftWithout(): SimulationReport['leftWithout'] {
    return [...this.#pairs]
      .filter(([, p]) => p.newlyRefused > 0 && p.refused === p.requests)
      .toSorted(([a, p], [b, q]) => q.requests - p.requests || (a < b ? -1 : 1))
      .slice(0, LEFT_WITHOUT_MAX)
      .map(([key, { requests }]) => {
        const [workspace = '', model = ''] = key.split('\n');
        return { workspace, model, requests };
      });
  }

  #example(request: RecordedRequest, group: Group, change: Change): void {
    const list = change === 'newlyRefused' ? this.#refused : this.#allowed;
    if (change === undefined || change === 'moved' || list.length >= EXAMPLES_MAX) return;
    const touched = this.#touched.get(group)!;
    list.push({
      generationId: request.generationId,
      workspace: request.profile.workspaceId,
      model: request.scope,
      policies: change === 'newlyRefused' ? touched.after : touched.before,
    });
  }
}

interface TouchedRules {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Counters by name, in insertion order until asked. */
class Dimension {
  readonly #rows = new Map<string, Mutable<Counts>>();

  add(name: string, change: Change): void {
    let row = this.#rows.get(name);
    if (row === undefined) {
      const kept = this.#rows.size < ROWS_MAX ? name : OTHERS;
      row = this.#rows.get(kept) ?? none();
      this.#rows.set(kept, row);
    }
    count(row, change);
  }

  /** Most changed first, then most asked, then by name. */
  rows(): DimensionRow[] {
    const changed = (r: Counts): number => r.newlyRefused + r.newlyAllowed + r.moved;
    return [...this.#rows]
      .map(([name, row]) => ({ name, ...row }))
      .toSorted(
        (a, b) => changed(b) - changed(a) || b.requests - a.requests || (a.name < b.name ? -1 : 1),
      );
  }
}

const none = (): Mutable<Counts> => ({ requests: 0, newlyRefused: 0, newlyAllowed: 0, moved: 0 });

function count(row: Mutable<Counts>, change: Change): void {
  row.requests += 1;
  if (change !== undefined) row[change] += 1;
}

function changeOf(was: boolean, is: boolean, choices: Choices | undefined): Change {
  if (was && !is) return 'newlyRefused';
  if (is && !was) return 'newlyAllowed';
  const moved = choices?.before?.endpoint.ordinal !== choices?.after?.endpoint.ordinal;
  return was && moved ? 'moved' : undefined;
}

const objecting = ({ excluded }: Decision): readonly string[] =>
  [...new Set(excluded.flatMap((g) => g.policyIds))].toSorted();

/** Linted bundles have one permit and otherwise forbids; an annotation cannot hold the word at a line's start. */
const isForbid = (text: string | undefined): boolean =>
  text !== undefined && /^forbid\b/m.test(text);

const QUALITY_DECIMALS = 1e6;
const round = (n: number): number => Math.round(n * QUALITY_DECIMALS) / QUALITY_DECIMALS;

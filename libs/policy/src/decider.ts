import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Catalog, Endpoint, OrganisationFacts } from '#libs/catalog';

import { analysisOf } from './analysis.js';
import type { BundleAnalysis } from './analysis.js';
import type { Verdict } from './cedar.js';
import type { CompiledSet } from './compiled/compiled-set.js';
import type { EndpointFacts } from './endpoint-facts.js';
import type { BreakGlass } from './exceptions.js';
import { Grounds } from './grounds.js';
import type { Ground } from './grounds.js';
import { Judge } from './judge.js';
import type { Hearing, JudgeOptions } from './judge.js';
import { factsKey, profileKey } from './keys.js';
import type { Reads } from './reads.js';
import type {
  Decision,
  ExclusionGroup,
  PolicyBundle,
  PrincipalProfile,
  RequestFacts,
} from './types.js';
import { VerdictMemo } from './verdict-memo.js';

/** A rule that reads the time may change its mind: how long such a decision is believed. */
export const TIMED_DECISION_TTL_MS = 60_000;

/** Work between two turns of the event loop, in evaluations of cedar-wasm's at about 0.4 ms each. */
const WORK_PER_TURN = 2;

/** Endpoints sorted by known verdicts that weigh as much as one such evaluation. */
const ENDPOINTS_PER_EVALUATION = 512;

export interface DecisionInput {
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
  /** What is asked about, all of the decider's catalog; the decision keeps their order. */
  readonly endpoints: readonly Endpoint[];
  readonly nowMs: number;
  /** The asking organisation's own facts, laid over the catalog's. */
  readonly organisationFacts?: OrganisationFacts | undefined;
  /** From `breakGlassFor`, for this bundle, this profile and this moment. */
  readonly breakGlass?: BreakGlass | undefined;
}

export interface DeciderOptions extends JudgeOptions {
  /** The compiled form of the bundle; absent = compiled here. For tests that plant a wrong one. */
  readonly compiled?: CompiledSet;
}

/** Every endpoint is a class of its own. */
const EVERYTHING: Reads = {
  attributes: new Set(),
  identities: new Set(),
  named: new Set(),
  everything: true,
};

interface Heard {
  readonly hearing: Hearing;
  readonly ground: Ground;
  readonly stretch: number;
}

/** One bundle over one catalog. Stateless to its callers; what it remembers only saves evaluations. */
export class Decider {
  readonly #analysis: BundleAnalysis;
  readonly #judge: Judge;
  readonly #grounds: Grounds;
  #memo = new VerdictMemo();

  /** Parses now. Throws `policy-bundle-unusable` where the bundle is not one that `buildBundle` made. */
  constructor(
    readonly bundle: PolicyBundle,
    readonly catalog: Catalog,
    options: DeciderOptions = {},
  ) {
    this.#analysis = analysisOf(bundle);
    const compiled = options.compiled ?? this.#analysis.compiled;
    this.#judge = new Judge(bundle, catalog, compiled, options);
    this.#grounds = new Grounds(catalog);
  }

  /** Who answers now: `cedar-wasm` where a policy cannot be compiled, or once the two have disagreed. */
  get evaluator(): 'compiled' | 'cedar-wasm' {
    return this.#judge.evaluator;
  }

  /** The verdict on every endpoint. Takes microseconds per class of endpoints never judged before. */
  decide(input: DecisionInput): Decision {
    const steps = this.#steps(input);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /** The same, giving the event loop a turn after every bit of work: for cold decisions on a server. */
  async decideYielding(input: DecisionInput): Promise<Decision> {
    const steps = this.#steps(input);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      await nextTurn();
    }
  }

  /** What would be said of facts that no endpoint has, or not yet. Nothing of it is remembered. */
  inquire(input: Omit<DecisionInput, 'endpoints'>): (of: EndpointFacts) => Verdict {
    const { hearing } = this.#hear(input);
    return (of) => this.#judge.judgeFacts(of, hearing);
  }

  /** Yields where a turn is due, returns the decision. */
  *#steps(input: DecisionInput): Generator<void, Decision> {
    for (;;) {
      const { evaluator } = this;
      const { trustsClasses } = this.#judge;
      const decision = yield* this.#pass(input);
      if (evaluator === this.evaluator && trustsClasses === this.#judge.trustsClasses)
        return decision;
      // Something of ours was found wrong on the way: nothing that it said is kept.
      this.#memo = new VerdictMemo();
    }
  }

  *#pass(input: DecisionInput): Generator<void, Decision> {
    const { profile, facts, endpoints, nowMs, breakGlass, organisationFacts } = input;
    const { hearing, ground, stretch } = this.#hear(input);
    const { reads, timed } = this.#readBy(hearing);
    const partition = ground.classes.partition(reads, nowMs);
    const lifted = breakGlass?.exceptions.join(' ') ?? '';
    const request = `${stretch}${profileKey(profile, this.bundle)}${factsKey(facts, this.bundle)} ${lifted} ${organisationFacts?.version ?? ''}`;
    // A verdict that depends on the time serves this call only.
    const verdicts = timed ? new Map<string, Verdict>() : this.#memo.of(request);

    const tally = new Tally();
    let rested = 0;
    let untilMs = Infinity;
    for (const [at, endpoint] of endpoints.entries()) {
      const classKey = partition.classOf(endpoint);
      untilMs = Math.min(untilMs, partition.untilMs(endpoint));
      let verdict = verdicts.get(classKey);
      if (verdict === undefined) {
        verdict = this.#judge.judge(endpoint, hearing);
        verdicts.set(classKey, verdict);
      } else if (this.#judge.trustsClasses) this.#judge.recheck(endpoint, hearing, verdict);
      tally.add(endpoint, verdict);
      const spent = hearing.spent + at / ENDPOINTS_PER_EVALUATION;
      if (spent - rested >= WORK_PER_TURN) {
        rested = spent;
        yield;
      }
    }
    const validUntilMs = earliest(
      earliest(Number.isFinite(untilMs) ? untilMs : undefined, breakGlass?.expiresMs),
      timed ? nowMs + TIMED_DECISION_TTL_MS : undefined,
    );
    return {
      policyVersion: this.bundle.version,
      catalogVersion: this.catalog.version,
      ...tally.result(),
      ...(validUntilMs !== undefined && { validUntilMs }),
    };
  }

  #hear(input: Omit<DecisionInput, 'endpoints'>): Heard {
    const { profile, facts, nowMs, breakGlass, organisationFacts } = input;
    const ground = this.#grounds.of(organisationFacts);
    const stretch = ground.classes.enter(nowMs);
    const asked = { profile, facts, breakGlass, ground, nowMs, stretch };
    return { hearing: this.#judge.hear(asked), ground, stretch };
  }

  /** What the policies that can match this request read of an endpoint, and whether time is part of it. */
  #readBy({ bound, profile, context }: Hearing): {
    readonly reads: Reads;
    readonly timed: boolean;
  } {
    if (bound) return { reads: this.#analysis.readsOf(bound.liveIds), timed: bound.timed };
    const reads = this.#analysis.liveReads(profile, context);
    return {
      reads: this.#judge.trustsClasses ? reads : EVERYTHING,
      timed: reads.everything || reads.attributes.has('now'),
    };
  }
}

/** Parses the bundle now, so that no request pays for it. Throws as the constructor does. */
export const createDecider = (
  bundle: PolicyBundle,
  catalog: Catalog,
  options?: DeciderOptions,
): Decider => new Decider(bundle, catalog, options);

/** What the compiled evaluator makes of a bundle: for tests that plant a wrong one. */
export const compiledFormOf = (bundle: PolicyBundle): CompiledSet | undefined =>
  analysisOf(bundle).compiled;

/** Sorts endpoints by verdict as they come. */
class Tally {
  readonly #permitted: Endpoint[] = [];
  readonly #permittedBy = new Set<string>();
  readonly #excluded = new Map<string, ExclusionGroup & { readonly endpoints: Endpoint[] }>();

  add(endpoint: Endpoint, { allowed, errored, policyIds }: Verdict): void {
    if (allowed) {
      this.#permitted.push(endpoint);
      for (const id of policyIds) this.#permittedBy.add(id);
      return;
    }
    const code = errored ? 'evaluation-error' : policyIds.length === 0 ? 'no-permit' : 'forbidden';
    const key = [code, ...policyIds].join(' ');
    const group = this.#excluded.get(key);
    if (group) group.endpoints.push(endpoint);
    else this.#excluded.set(key, { policyIds, code, endpoints: [endpoint] });
  }

  result(): Pick<Decision, 'permitted' | 'permittedBy' | 'excluded'> {
    return {
      permitted: this.#permitted,
      permittedBy: [...this.#permittedBy].toSorted(),
      excluded: [...this.#excluded.entries()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([, group]) => group),
    };
  }
}

const earliest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

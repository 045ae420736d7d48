import { setImmediate as nextTurn } from 'node:timers/promises';

import { overlayFacts } from '#libs/catalog';
import type { Catalog, Endpoint, OrganisationFacts } from '#libs/catalog';
import { DomainError } from '#libs/kernel';

import { analysisOf } from './analysis.js';
import type { BundleAnalysis } from './analysis.js';
import { ParsedSet } from './cedar.js';
import type { CedarValueJson, EntityJson, Verdict } from './cedar.js';
import { EndpointClasses } from './endpoint-classes.js';
import { contextOf, endpointEntities, endpointUid, keyUid, principalEntities } from './entities.js';
import type { PolicyErrorCode } from './errors.js';
import type { BreakGlass } from './exceptions.js';
import { factsKey, profileKey } from './keys.js';
import { warmUp } from './probe.js';
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

/** Evaluations between two turns of the event loop, at about 0.4 ms each. */
const EVALUATIONS_PER_TURN = 2;

/** Endpoints sorted by known verdicts that weigh as much as one evaluation. */
const ENDPOINTS_PER_STEP = 512;

/** Organisations with facts of their own whose classes are kept ready; each costs some 100 KB. */
const OVERLAYS_LIMIT = 64;

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

interface Asked {
  readonly principal: readonly EntityJson[];
  readonly context: Record<string, CedarValueJson>;
}

/** One bundle over one catalog. Stateless to its callers; what it remembers only saves evaluations. */
export class Decider {
  readonly #set: ParsedSet;
  readonly #analysis: BundleAnalysis;
  readonly #classes: EndpointClasses;
  /** By version of an organisation's facts, least lately used first. */
  readonly #overlaid = new Map<string, EndpointClasses>();
  readonly #memo = new VerdictMemo();

  /** Parses now. Throws `policy-bundle-unusable` where the bundle is not one that `buildBundle` made. */
  constructor(
    readonly bundle: PolicyBundle,
    readonly catalog: Catalog,
  ) {
    this.#analysis = analysisOf(bundle);
    this.#set = new ParsedSet(bundle.schema, bundle.policies);
    const prepared = this.#set.prepare();
    if (!prepared.ok) {
      const message = `not a bundle: ${prepared.messages.join('; ')}`;
      throw new DomainError<PolicyErrorCode>('policy-bundle-unusable', message);
    }
    warmUp(this.#set);
    this.#classes = new EndpointClasses(catalog);
  }

  /** The verdict on every endpoint. Takes about 0.4 ms per class of endpoints never judged before. */
  decide(input: DecisionInput): Decision {
    const steps = this.#steps(input);
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  /** The same, giving the event loop a turn after every few evaluations: for cold decisions on a server. */
  async decideYielding(input: DecisionInput): Promise<Decision> {
    const steps = this.#steps(input);
    for (let taken = 1; ; taken += 1) {
      const step = steps.next();
      if (step.done) return step.value;
      if (taken % EVALUATIONS_PER_TURN === 0) await nextTurn();
    }
  }

  /** Yields after each evaluation's worth of work, returns the decision. */
  *#steps(input: DecisionInput): Generator<void, Decision> {
    const { profile, facts, endpoints, nowMs, breakGlass, organisationFacts } = input;
    const classes = this.#classesFor(organisationFacts);
    const asked: Asked = {
      principal: principalEntities(profile),
      context: contextOf(facts, nowMs, breakGlass),
    };
    const reads = this.#analysis.liveReads(profile, asked.context);
    const stretch = classes.enter(nowMs);
    const partition = classes.partition(reads, nowMs);
    const timed = reads.everything || reads.attributes.has('now');
    const lifted = breakGlass?.exceptions.join(' ') ?? '';
    const request = `${stretch}${profileKey(profile, this.bundle)}${factsKey(facts, this.bundle)} ${lifted} ${organisationFacts?.version ?? ''}`;
    // A verdict that depends on the time serves this call only.
    const verdicts = timed ? new Map<string, Verdict>() : this.#memo.of(request);

    const tally = new Tally();
    let untilMs = Infinity;
    for (const [at, endpoint] of endpoints.entries()) {
      if (at % ENDPOINTS_PER_STEP === ENDPOINTS_PER_STEP - 1) yield;
      const classKey = partition.classOf(endpoint);
      untilMs = Math.min(untilMs, partition.untilMs(endpoint));
      let verdict = verdicts.get(classKey);
      if (verdict === undefined) {
        verdict = this.#evaluate(classes, endpoint, profile, asked, nowMs);
        verdicts.set(classKey, verdict);
        yield;
      }
      tally.add(endpoint, verdict);
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

  #classesFor(own: OrganisationFacts | undefined): EndpointClasses {
    if (own === undefined) return this.#classes;
    const classes =
      this.#overlaid.get(own.version) ?? new EndpointClasses(overlayFacts(this.catalog, own));
    this.#overlaid.delete(own.version);
    this.#overlaid.set(own.version, classes);
    if (this.#overlaid.size > OVERLAYS_LIMIT) {
      for (const oldest of this.#overlaid.keys()) {
        this.#overlaid.delete(oldest);
        break;
      }
    }
    return classes;
  }

  #evaluate(
    classes: EndpointClasses,
    endpoint: Endpoint,
    profile: PrincipalProfile,
    asked: Asked,
    nowMs: number,
  ): Verdict {
    const facts = classes.factsOf(endpoint, nowMs);
    const entities = [...asked.principal, ...endpointEntities(facts)];
    return this.#set.evaluate(keyUid(profile), endpointUid(facts), asked.context, entities);
  }
}

/** Parses the bundle now, so that no request pays for it. Throws as the constructor does. */
export const createDecider = (bundle: PolicyBundle, catalog: Catalog): Decider =>
  new Decider(bundle, catalog);

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

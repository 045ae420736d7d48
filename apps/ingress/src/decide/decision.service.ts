import type { Catalog, Endpoint, FactsDirectory, Model, OrganisationFacts } from '#libs/catalog';
import { DomainError, type Clock } from '#libs/kernel';
import type { Principal } from '#libs/identity';
import { isStale, type SnapshotSource } from '#libs/platform';
import {
  breakGlassFor,
  DecisionCache,
  factsKey,
  profileKey,
  type BreakGlass,
  type CounterOffer,
  type Decision,
  type DecisionKey,
  type PolicyBundle,
  type PolicyInForce,
  type PrincipalProfile,
  type RequestFacts,
} from '#libs/policy';
import type { ColdAnswer, ColdDecider } from './cold-decider.js';
import { verdictOf, type Verdict } from './verdict.js';

/** Who asks what, when, under which exceptions, and on the strength of which facts of their own. */
interface Asked {
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
  readonly nowMs: number;
  readonly breakGlass: BreakGlass | undefined;
  readonly organisationFacts: OrganisationFacts | undefined;
}

/** Where the decision ranges: one model's endpoints, or the whole catalog for `custos/auto`. */
export type Scope = Model | 'all';
const scopeKey = (scope: Scope): string => (scope === 'all' ? '*' : scope.id);

export function profileOf(p: Principal): PrincipalProfile {
  return {
    organisationId: p.organisation.id,
    workspaceId: p.workspace.id,
    keyId: p.key.id,
    sector: p.organisation.sector,
    jurisdiction: p.organisation.jurisdiction,
    environment: p.workspace.environment,
  };
}

/** Time of the worker that one counter-offer may take, and the little more that a refusal waits for it. */
const OFFER_BUDGET_MS = 40;
const OFFER_WAIT_MS = 50;
/** Offers asked for at a time: cold decisions share the worker with them. */
const OFFERS_UNDER_WAY_MAX = 2;

/**
 * Decisions for the hot path: a map look-up when the context was seen under this bundle and catalog, else a question
 * to the worker that all who wait for the same context share. The bundle is read once per request, so no
 * decision mixes two versions.
 */
export class DecisionService {
  readonly #cache = new DecisionCache<Verdict>();
  readonly #asking = new Map<string, Promise<Verdict>>();
  readonly #askedOf = new WeakMap<Verdict, Asked>();
  readonly #offers = new WeakMap<Verdict, Promise<CounterOffer | undefined>>();
  #offering = 0;
  /** How often something remembered was thrown away: what was asked for before that is not kept. */
  #forgotten = 0;
  readonly #profileKeys = new WeakMap<
    Principal,
    { readonly version: string; readonly key: string }
  >();

  constructor(
    private readonly catalog: Catalog,
    private readonly bundles: SnapshotSource<PolicyInForce>,
    private readonly cold: ColdDecider,
    private readonly clock: Clock,
    private readonly maxAgeMs: number,
    private readonly customerFacts: SnapshotSource<FactsDirectory>,
  ) {
    const first = bundles.current();
    if (first) this.#take(first.value);
    bundles.onChange((s) => this.#take(s.value));
  }

  #take({ bundle, compiledDistrusted }: PolicyInForce): void {
    this.cold.setBundle(bundle, compiledDistrusted === true);
    // Found wrong by another process, perhaps: what this one decided by it is in doubt as well.
    if (compiledDistrusted) this.forget(bundle.version);
  }

  /** A verdict at once, or a promise of it when the context is new. */
  decide(principal: Principal, facts: RequestFacts, scope: Scope): Verdict | Promise<Verdict> {
    const nowMs = this.clock.nowMs();
    const { bundle, exceptions } = this.#inForce(nowMs);
    const organisationFacts = this.#factsOf(principal, nowMs);
    const breakGlass =
      exceptions.length === 0
        ? undefined
        : breakGlassFor(exceptions, bundle, profileOf(principal), nowMs);
    const key: DecisionKey = {
      policyVersion: bundle.version,
      catalogVersion: this.catalog.version,
      profile: this.#profileKey(principal, bundle),
      facts: factsKey(facts, bundle),
      scope: scopeKey(scope),
      exceptions: breakGlass?.exceptions.join(' '),
      organisationFacts: organisationFacts?.version,
    };
    return (
      this.#cache.get(key, nowMs) ??
      this.#ask(
        key,
        bundle,
        { profile: profileOf(principal), facts, nowMs, breakGlass, organisationFacts },
        scope,
      )
    );
  }

  /** Throws away what was decided under a bundle whose compiled form was found wrong: it is decided again. */
  forget(policyVersion: string): void {
    this.#forgotten += 1;
    this.#cache.forget(policyVersion);
  }

  /** Older than the stated maximum age = nobody can say that it still holds: fail closed. */
  #inForce(nowMs: number): PolicyInForce {
    const snapshot = this.bundles.current();
    if (!snapshot || isStale(snapshot, nowMs, this.maxAgeMs))
      throw new DomainError('snapshot_stale', 'The policy bundle is older than its maximum age.');
    return snapshot.value;
  }

  /** As stale as the list of keys may be, and no more: who cannot see a revocation must not decide. */
  #factsOf({ organisation }: Principal, nowMs: number): OrganisationFacts | undefined {
    const snapshot = this.customerFacts.current();
    if (!snapshot || isStale(snapshot, nowMs, this.maxAgeMs))
      throw new DomainError('snapshot_stale', "Customers' facts are older than their maximum age.");
    return snapshot.value.of(organisation.id);
  }

  #profileKey(principal: Principal, bundle: PolicyBundle): string {
    const known = this.#profileKeys.get(principal);
    if (known && known.version === bundle.version) return known.key;
    const key = profileKey(profileOf(principal), bundle);
    this.#profileKeys.set(principal, { version: bundle.version, key });
    return key;
  }

  #ask(key: DecisionKey, bundle: PolicyBundle, asked: Asked, scope: Scope): Promise<Verdict> {
    const askKey = JSON.stringify(key);
    const underWay = this.#asking.get(askKey);
    if (underWay) return underWay;
    const ordinals =
      scope === 'all'
        ? 'all'
        : Int32Array.from(this.catalog.endpointsOf(scope.id), (e) => e.ordinal);
    const forgotten = this.#forgotten;
    const answer = this.cold
      .decide(bundle.version, { ...asked, ordinals })
      .then((a) => {
        const verdict = verdictOf(this.#decision(a, bundle), bundle, asked, scopeKey(scope));
        if (forgotten === this.#forgotten) this.#cache.set(key, verdict);
        if (verdict.decision.permitted.length === 0) this.#askedOf.set(verdict, asked);
        return verdict;
      })
      .finally(() => this.#asking.delete(askKey));
    this.#asking.set(askKey, answer);
    return answer;
  }

  /**
   * What a refused caller could do instead. Worked out once per verdict; undefined where it is not ready in time (it
   * will be for the next one) or too many are asked for: a refusal never waits for more.
   */
  async counterOffer(verdict: Verdict): Promise<CounterOffer | undefined> {
    let offer = this.#offers.get(verdict);
    if (offer === undefined) {
      const asked = this.#askedOf.get(verdict);
      if (asked === undefined || this.#offering >= OFFERS_UNDER_WAY_MAX) return undefined;
      this.#offering += 1;
      offer = this.cold
        .explain(verdict.bundle.version, {
          ...asked,
          modelId: verdict.record.scope,
          refused: Int32Array.from(
            verdict.decision.excluded.flatMap((g) => g.endpoints),
            (e) => e.ordinal,
          ),
          budgetMs: OFFER_BUDGET_MS,
        })
        // Without an offer a refusal is still a refusal.
        .catch(() => undefined)
        .finally(() => (this.#offering -= 1));
      this.#offers.set(verdict, offer);
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), OFFER_WAIT_MS);
    });
    try {
      return await Promise.race([offer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #decision(a: ColdAnswer, bundle: PolicyBundle): Decision {
    const endpoints = (ordinals: Int32Array): readonly Endpoint[] =>
      Array.from(ordinals, (o) => this.catalog.endpoints[o]!);
    return {
      policyVersion: bundle.version,
      catalogVersion: this.catalog.version,
      permitted: endpoints(a.permitted),
      permittedBy: a.permittedBy,
      excluded: a.excluded.map((g) => ({
        code: g.code,
        policyIds: g.policyIds,
        endpoints: endpoints(g.ordinals),
      })),
      ...(a.validUntilMs === undefined ? {} : { validUntilMs: a.validUntilMs }),
    };
  }
}

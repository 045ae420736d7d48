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

/**
 * Decisions for the hot path: a map look-up when the context was seen under this bundle and catalog, else a question
 * to the worker that all who wait for the same context share. The bundle is read once per request, so no
 * decision mixes two versions.
 */
export class DecisionService {
  readonly #cache = new DecisionCache<Verdict>();
  readonly #asking = new Map<string, Promise<Verdict>>();
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
    if (first) this.cold.setBundle(first.value.bundle);
    bundles.onChange((s) => this.cold.setBundle(s.value.bundle));
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
    const answer = this.cold
      .decide(bundle.version, { ...asked, ordinals })
      .then((a) => {
        const verdict = verdictOf(this.#decision(a, bundle), bundle, asked, scopeKey(scope));
        this.#cache.set(key, verdict);
        return verdict;
      })
      .finally(() => this.#asking.delete(askKey));
    this.#asking.set(askKey, answer);
    return answer;
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

import type { Catalog, Endpoint, FactsDirectory } from '#libs/catalog';
import { DomainError, type Clock } from '#libs/kernel';
import type { InProcessSnapshotSource, SnapshotSource } from '#libs/platform';
import {
  breakGlassFor,
  createDecider,
  versionInForce,
  type Decider,
  type Decision,
  type PolicyBundle,
  type PolicyInForce,
  type PrincipalProfile,
  type RequestFacts,
} from '#libs/policy';

export interface PolicyServiceOptions {
  readonly catalog: Catalog;
  /** Where what is in force goes: read in this process, served over HTTP by the module. */
  readonly bundles: InProcessSnapshotSource<PolicyInForce>;
  readonly clock: Clock;
  /** What customers state of their own contracts; absent or not there yet = nothing. */
  readonly customerFacts?: SnapshotSource<FactsDirectory>;
}

/** Since when, by whom and how the bundle came into force. */
export interface InForceSince {
  readonly atMs: number;
  readonly actor: string;
  readonly cause: string;
}

interface Held {
  readonly inForce: PolicyInForce;
  readonly since: InForceSince;
  readonly decider: Decider;
}

/** Holds what is in force in this process and answers questions about it. */
export class PolicyService {
  #held: Held | undefined;

  constructor(private readonly options: PolicyServiceOptions) {}

  /**
   * From now on this is in force here and for all who read the snapshot. What comes in was verified; building the
   * decider comes first, so that a bundle that cannot be asked never replaces one that can.
   */
  adopt(inForce: PolicyInForce, since: InForceSince): void {
    const { catalog, bundles } = this.options;
    const same = this.#held?.inForce.bundle === inForce.bundle;
    const decider = same ? this.#held!.decider : createDecider(inForce.bundle, catalog);
    this.#held = { inForce, since, decider };
    const version = versionInForce(inForce);
    if (bundles.current()?.version !== version) bundles.publish(version, inForce);
  }

  /** This and the others throw `snapshot_unavailable` while nothing is in force yet. */
  get inForce(): PolicyInForce {
    return this.#now().inForce;
  }

  get bundle(): PolicyBundle {
    return this.#now().inForce.bundle;
  }

  get since(): InForceSince {
    return this.#now().since;
  }

  get catalog(): Catalog {
    return this.options.catalog;
  }

  get bundles(): InProcessSnapshotSource<PolicyInForce> {
    return this.options.bundles;
  }

  nowMs(): number {
    return this.options.clock.nowMs();
  }

  /** Would this be allowed now, and why; with the exceptions in force for who asks. */
  decide(
    profile: PrincipalProfile,
    facts: RequestFacts,
    endpoints: readonly Endpoint[],
  ): Promise<Decision> {
    const { inForce, decider } = this.#now();
    const nowMs = this.nowMs();
    const breakGlass = breakGlassFor(inForce.exceptions, inForce.bundle, profile, nowMs);
    const organisationFacts = this.options.customerFacts
      ?.current()
      ?.value.of(profile.organisationId);
    return decider.decideYielding({
      profile,
      facts,
      endpoints,
      nowMs,
      breakGlass,
      organisationFacts,
    });
  }

  #now(): Held {
    if (this.#held === undefined)
      throw new DomainError('snapshot_unavailable', 'No policy bundle is in force yet.');
    return this.#held;
  }
}

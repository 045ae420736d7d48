import type { Catalog, Endpoint, FactsDirectory } from '#libs/catalog';
import { DomainError, type Clock } from '#libs/kernel';
import type { InProcessSnapshotSource, SnapshotSource } from '#libs/platform';
import {
  breakGlassFor,
  createDecider,
  distrustCompiled,
  trustCompiled,
  versionInForce,
  type Decider,
  type Decision,
  type EvaluatorFinding,
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

type MismatchListener = (mismatch: EvaluatorFinding, foundBy: string) => void;

interface Held {
  readonly inForce: PolicyInForce;
  readonly since: InForceSince;
  readonly decider: Decider;
}

/** Holds what is in force in this process and answers questions about it. */
export class PolicyService {
  #held: Held | undefined;
  #tellMismatch: MismatchListener | undefined;

  constructor(private readonly options: PolicyServiceOptions) {}

  /** Who remembers findings against the compiled evaluator. */
  onMismatch(tell: MismatchListener): void {
    this.#tellMismatch = tell;
  }

  /** Of a decider of this process, or of another whose finding came in process. */
  foundMismatch(mismatch: EvaluatorFinding, foundBy = 'system:policy'): void {
    this.#tellMismatch?.(mismatch, foundBy);
  }

  /**
   * From now on this is in force here and for all who read the snapshot. What comes in was verified; building the
   * decider comes first, so that a bundle that cannot be asked never replaces one that can.
   */
  adopt(inForce: PolicyInForce, since: InForceSince): void {
    const { catalog, bundles } = this.options;
    const was = this.#held?.inForce;
    const same = was?.bundle === inForce.bundle;
    const onMismatch = (found: EvaluatorFinding): void => this.foundMismatch(found);
    const decider = same
      ? this.#held!.decider
      : createDecider(inForce.bundle, catalog, { onMismatch });
    if (inForce.compiledDistrusted) distrustCompiled(inForce.bundle.version);
    // Cleared by somebody. A finding that is not recorded yet must not be cleared by the snapshot before it.
    else if (was?.compiledDistrusted && was.bundle.version === inForce.bundle.version)
      trustCompiled(inForce.bundle.version);
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

  /** Who answers now. */
  get evaluator(): Decider['evaluator'] {
    return this.#now().decider.evaluator;
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

import type { Catalog, Endpoint } from '#libs/catalog';
import type { Clock } from '#libs/kernel';
import { ConfigError, type InProcessSnapshotSource } from '#libs/platform';
import {
  buildBundle,
  createDecider,
  type BundleSources,
  type Decider,
  type Decision,
  type PolicyBundle,
  type PrincipalProfile,
  type RequestFacts,
} from '#libs/policy';

export interface PolicyServiceOptions {
  /** The texts of the first bundle. */
  readonly sources: BundleSources;
  readonly catalog: Catalog;
  /** Where the bundle in force goes: read in this process, served over HTTP by the module. */
  readonly bundles: InProcessSnapshotSource<PolicyBundle>;
  readonly clock: Clock;
}

/** Owns the bundle in force and answers questions about it. */
export class PolicyService {
  readonly bundle: PolicyBundle;
  readonly activatedAtMs: number;
  readonly #decider: Decider;

  /** Builds and publishes the bundle. Throws ConfigError with every fault of its texts: nothing starts on half a law. */
  constructor(private readonly options: PolicyServiceOptions) {
    const built = buildBundle(options.sources);
    if (!built.ok) {
      throw new ConfigError(
        built.faults.map(({ file, policyId, message }) => ({
          variable: 'CUSTOS_POLICY_DIR',
          problem: `${file}${policyId === undefined ? '' : ` ${policyId}`}: ${message}`,
        })),
      );
    }
    this.bundle = built.bundle;
    this.#decider = createDecider(built.bundle, options.catalog);
    this.activatedAtMs = options.clock.nowMs();
    options.bundles.publish(built.bundle.version, built.bundle);
  }

  get catalog(): Catalog {
    return this.options.catalog;
  }

  get bundles(): InProcessSnapshotSource<PolicyBundle> {
    return this.options.bundles;
  }

  /** Would this be allowed now, and why. */
  decide(
    profile: PrincipalProfile,
    facts: RequestFacts,
    endpoints: readonly Endpoint[],
  ): Promise<Decision> {
    const nowMs = this.options.clock.nowMs();
    return this.#decider.decideYielding({ profile, facts, endpoints, nowMs });
  }
}

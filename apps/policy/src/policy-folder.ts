import { ConfigError } from '#libs/platform';
import { buildBundle, type BuiltBundle, type BundleSources, type PolicyBundle } from '#libs/policy';

/** The policy folder as it was when this process started. */
export class PolicyFolder {
  readonly #built: BuiltBundle;

  constructor(sources: BundleSources) {
    this.#built = buildBundle(sources);
  }

  /** Throws ConfigError with every fault of its texts: nothing starts on half a law. */
  bundle(): PolicyBundle {
    if (this.#built.ok) return this.#built.bundle;
    throw new ConfigError(
      this.#built.faults.map(({ file, policyId, message }) => ({
        variable: 'CUSTOS_POLICY_DIR',
        problem: `${file}${policyId === undefined ? '' : ` ${policyId}`}: ${message}`,
      })),
    );
  }

  /** True where the folder says something else than this version, or has faults. */
  differsFrom(version: string): boolean {
    return !this.#built.ok || this.#built.bundle.version !== version;
  }
}

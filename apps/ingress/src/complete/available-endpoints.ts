import type { Endpoint } from '#libs/catalog';
import type { AttemptTarget } from '#libs/providers';
import type { Verdict } from '../decide/verdict.js';
import type { TargetResolver } from './targets.js';

/** What of a verdict this process can call at all; worked out once per verdict. */
export class AvailableEndpoints {
  readonly #of = new WeakMap<Verdict, readonly Endpoint[]>();

  readonly #providers = new WeakMap<Verdict, readonly string[]>();

  constructor(private readonly targets: TargetResolver) {}

  of(verdict: Verdict): readonly Endpoint[] {
    let list = this.#of.get(verdict);
    if (!list) {
      list = verdict.decision.permitted.filter((e) => this.targets.target(e) !== undefined);
      this.#of.set(verdict, list);
    }
    return list;
  }

  /**
   * Providers of permitted endpoints that can be called from here, sorted; undefined where that is all of them, as a
   * plan can then be made again from the verdict alone. Whether one can be called depends on its provider only.
   */
  providersOf(verdict: Verdict): readonly string[] | undefined {
    const callable = this.of(verdict);
    if (callable.length === verdict.decision.permitted.length) return undefined;
    let providers = this.#providers.get(verdict);
    if (!providers) {
      providers = [...new Set(callable.map((e) => e.providerId))].toSorted();
      this.#providers.set(verdict, providers);
    }
    return providers;
  }

  target(endpoint: Endpoint): AttemptTarget | undefined {
    return this.targets.target(endpoint);
  }
}

import type { Endpoint } from '#libs/catalog';
import type { AttemptTarget } from '#libs/providers';
import type { Verdict } from '../decide/verdict.js';
import type { TargetResolver } from './targets.js';

/** What of a verdict this process can call at all; worked out once per verdict. */
export class AvailableEndpoints {
  readonly #of = new WeakMap<Verdict, readonly Endpoint[]>();

  constructor(private readonly targets: TargetResolver) {}

  of(verdict: Verdict): readonly Endpoint[] {
    let list = this.#of.get(verdict);
    if (!list) {
      list = verdict.decision.permitted.filter((e) => this.targets.target(e) !== undefined);
      this.#of.set(verdict, list);
    }
    return list;
  }

  target(endpoint: Endpoint): AttemptTarget | undefined {
    return this.targets.target(endpoint);
  }
}

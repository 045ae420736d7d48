import type { Catalog, Endpoint } from '#libs/catalog';
import {
  counterOffer,
  createDecider,
  distrustCompiled,
  trustCompiled,
  type CounterOffer,
  type Decider,
  type PolicyBundle,
} from '#libs/policy';
import type {
  ColdAnswer,
  ColdQuestion,
  ExplainQuestion,
  FromWorker,
  ToWorker,
} from './cold-decider.js';

// Two bundles at a time: requests that began under the old one finish under it.
const DECIDERS_MAX = 2;

const ordinalsOf = (endpoints: readonly Endpoint[]): Int32Array =>
  Int32Array.from(endpoints, (e) => e.ordinal);

/** Where questions of the main thread are answered, in the worker's. */
export class DecisionDesk {
  readonly #deciders = new Map<string, Decider>();
  /** As the snapshots say; what was found here and is not recorded yet is not among it. */
  readonly #distrusted = new Set<string>();

  constructor(
    private readonly catalog: Catalog,
    private readonly say: (m: FromWorker) => void,
    /** Another one, for tests that plant a wrong evaluator. */
    private readonly makeDecider: typeof createDecider = createDecider,
  ) {}

  readonly hear = (m: ToWorker): void => {
    if (m.kind === 'bundle') return this.#take(m.bundle, m.compiledDistrusted);
    const decider = this.#deciders.get(m.bundleVersion);
    if (!decider) {
      this.say({ kind: 'fault', id: m.id, fault: 'unknown bundle version' });
      return;
    }
    try {
      const said =
        m.kind === 'decide'
          ? this.#answer(decider, m.question)
          : this.#explain(decider, m.question);
      this.say({ kind: 'answer', id: m.id, answer: said });
    } catch (error) {
      this.say({
        kind: 'fault',
        id: m.id,
        fault: error instanceof Error ? error.name : 'unknown',
      });
    }
  };

  #take(bundle: PolicyBundle, compiledDistrusted: boolean): void {
    const { version } = bundle;
    try {
      if (!this.#deciders.has(version))
        this.#deciders.set(
          version,
          this.makeDecider(bundle, this.catalog, {
            // Said before the answer of the decision that found it.
            onMismatch: (mismatch) => this.say({ kind: 'mismatch', mismatch }),
          }),
        );
    } catch {
      // Questions under it are answered with a fault (503): streams under way must not end for a bad bundle.
      return;
    }
    if (compiledDistrusted) {
      this.#distrusted.add(version);
      distrustCompiled(version);
    } else if (this.#distrusted.delete(version)) trustCompiled(version);
    for (const other of this.#deciders.keys()) {
      if (this.#deciders.size <= DECIDERS_MAX) break;
      if (other !== version) this.#deciders.delete(other);
    }
    this.say({ kind: 'ready', bundleVersion: version });
  }

  #answer(decider: Decider, q: ColdQuestion): ColdAnswer {
    const { endpoints: all } = this.catalog;
    const { ordinals, ...asked } = q;
    const endpoints = ordinals === 'all' ? all : Array.from(ordinals, (o) => all[o]!);
    const d = decider.decide({ ...asked, endpoints });
    return {
      permitted: ordinalsOf(d.permitted),
      permittedBy: d.permittedBy,
      excluded: d.excluded.map((g) => ({
        code: g.code,
        policyIds: g.policyIds,
        ordinals: ordinalsOf(g.endpoints),
      })),
      ...(d.validUntilMs === undefined ? {} : { validUntilMs: d.validUntilMs }),
    };
  }

  #explain(decider: Decider, q: ExplainQuestion): CounterOffer {
    const { modelId, refused, budgetMs, ...asked } = q;
    const startedAt = performance.now();
    return counterOffer({
      ...asked,
      decider,
      // Undefined for `*`: any model would have done.
      wanted: this.catalog.models.get(modelId),
      refused: Array.from(refused, (o) => this.catalog.endpoints[o]!),
      left: () => 1 - (performance.now() - startedAt) / budgetMs,
    });
  }
}

import type { Decider } from '../decider.js';
import type { PolicyBundle } from '../types.js';
import { alikeEndpoints } from './alike-endpoints.js';
import { contextClasses } from './context-classes.js';

/** Contexts listed, those with most differences first; all are counted. */
const CONTEXTS_LISTED_MAX = 100;

export interface BundleComparison {
  readonly before: string;
  readonly after: string;
  readonly policies: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  readonly schemaChanged: boolean;
  readonly contexts: number;
  readonly endpoints: number;
  /** Contexts in which some endpoint is decided differently. */
  readonly differing: number;
  readonly inContexts: readonly ContextDifference[];
  /** Endpoints by provider, summed over contexts. */
  readonly byProvider: readonly {
    readonly provider: string;
    readonly newlyRefused: number;
    readonly newlyAllowed: number;
  }[];
  /** Rules of the new bundle by endpoints that they newly refuse, of the old one by those they no longer do. */
  readonly byRule: readonly {
    readonly id: string;
    readonly newlyRefused: number;
    readonly newlyAllowed: number;
  }[];
}

export interface ContextDifference {
  readonly context: string;
  readonly newlyRefused: number;
  readonly newlyAllowed: number;
  /** Endpoints left under the new bundle. */
  readonly left: number;
  /** Rules that newly refuse, or no longer do. */
  readonly rules: readonly string[];
}

/** Where two bundles decide differently, over the whole catalog and the documented context classes. */
export function compareBundles(before: Decider, after: Decider, nowMs: number): BundleComparison {
  const bundles = [before.bundle, after.bundle];
  const groups = alikeEndpoints(after.catalog, bundles, nowMs);
  const endpoints = groups.map((g) => g.one);
  const sizes = new Map(groups.map((g) => [g.one.id, g.all.length]));
  const contexts = contextClasses(bundles);
  const providers = new Counts();
  const rules = new Counts();
  const differences: ContextDifference[] = [];
  for (const { name, profile, facts } of contexts) {
    const was = verdicts(before, { profile, facts, endpoints, nowMs });
    const is = verdicts(after, { profile, facts, endpoints, nowMs });
    let [newlyRefused, newlyAllowed, left] = [0, 0, 0];
    const named = new Set<string>();
    for (const { id, providerId } of endpoints) {
      const [old, now] = [was.get(id)!, is.get(id)!];
      const size = sizes.get(id)!;
      if (now.length === 0) left += size;
      const change =
        refused(now) === refused(old) ? undefined : refused(now) ? 'newlyRefused' : 'newlyAllowed';
      if (change === undefined) continue;
      if (change === 'newlyRefused') newlyRefused += size;
      else newlyAllowed += size;
      providers.add(providerId, change, size);
      for (const rule of change === 'newlyRefused' ? now : old) {
        rules.add(rule, change, size);
        named.add(rule);
      }
    }
    if (newlyRefused + newlyAllowed > 0)
      differences.push({
        context: name,
        newlyRefused,
        newlyAllowed,
        left,
        rules: [...named].toSorted(),
      });
  }
  return {
    before: before.bundle.version,
    after: after.bundle.version,
    policies: textChanges(before.bundle, after.bundle),
    schemaChanged: before.bundle.schema !== after.bundle.schema,
    contexts: contexts.length,
    endpoints: after.catalog.endpoints.length,
    differing: differences.length,
    inContexts: differences
      .toSorted((a, b) => b.newlyRefused + b.newlyAllowed - (a.newlyRefused + a.newlyAllowed))
      .slice(0, CONTEXTS_LISTED_MAX),
    byProvider: providers.rows().map(({ name, ...counts }) => ({ provider: name, ...counts })),
    byRule: rules.rows().map(({ name, ...counts }) => ({ id: name, ...counts })),
  };
}

const refused = (objections: readonly string[]): boolean => objections.length > 0;
/** Stands for a refusal that no policy is named for. */
const NO_POLICY: readonly string[] = ['(no permit or evaluation error)'];

/** Objecting policies by endpoint; none = permitted. */
function verdicts(
  decider: Decider,
  input: Parameters<Decider['decide']>[0],
): ReadonlyMap<string, readonly string[]> {
  const decision = decider.decide(input);
  const of = new Map<string, readonly string[]>(decision.permitted.map((e) => [e.id, []]));
  for (const { policyIds, endpoints } of decision.excluded)
    for (const e of endpoints) of.set(e.id, policyIds.length > 0 ? policyIds : NO_POLICY);
  return of;
}

function textChanges(before: PolicyBundle, after: PolicyBundle): BundleComparison['policies'] {
  const [was, is] = [before.policies, after.policies];
  return {
    added: Object.keys(is)
      .filter((id) => !(id in was))
      .toSorted(),
    removed: Object.keys(was)
      .filter((id) => !(id in is))
      .toSorted(),
    changed: Object.keys(is)
      .filter((id) => id in was && was[id] !== is[id])
      .toSorted(),
  };
}

class Counts {
  readonly #rows = new Map<string, { newlyRefused: number; newlyAllowed: number }>();

  add(name: string, change: 'newlyRefused' | 'newlyAllowed', by: number): void {
    const row = this.#rows.get(name) ?? { newlyRefused: 0, newlyAllowed: 0 };
    this.#rows.set(name, row);
    row[change] += by;
  }

  rows(): { name: string; newlyRefused: number; newlyAllowed: number }[] {
    return [...this.#rows]
      .map(([name, row]) => ({ name, ...row }))
      .toSorted(
        (a, b) =>
          b.newlyRefused + b.newlyAllowed - (a.newlyRefused + a.newlyAllowed) ||
          (a.name < b.name ? -1 : 1),
      );
  }
}

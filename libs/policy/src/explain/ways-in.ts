import type { EndpointFacts } from '../endpoint-facts.js';
import { liftablePolicies } from '../exceptions.js';
import type { PolicyBundle, PolicyCitation } from '../types.js';
import {
  obtainableFacts,
  withObtained,
  type ObtainableFact,
  type WordsOf,
} from './obtainable-facts.js';

/** Places tried where a place is unknown, beside those of the data's subjects. */
const PLACES = ['EEA', 'US', 'GB'] as const;

/** Objecting policies of an endpoint with these facts; undefined where the time for asking is up. */
export type Objections = (facts: EndpointFacts) => readonly string[] | undefined;

/** The least that would admit one endpoint. */
export interface WayIn {
  /** Rules that somebody may lift, and who. */
  readonly lift: readonly {
    readonly policy: string;
    readonly reason: string;
    readonly law: string;
    readonly by: LiftedBy;
  }[];
  /** What is not known, or not signed. */
  readonly facts: readonly { readonly fact: string; readonly says: string }[];
}

/** `caller`: leave a preference out; `exception`: a break-glass exception approved by a second person; else whose rule it is. */
export type LiftedBy = 'caller' | 'organisation' | 'workspace' | 'key' | 'exception';

/**
 * The smallest set of liftable rules and missing facts that admits an endpoint, found by asking the rules themselves
 * what they would say. Undefined where nothing of that kind would help: what is known is against the law.
 */
export function wayIn(
  bundle: PolicyBundle,
  facts: EndpointFacts,
  subjects: readonly string[],
  words: WordsOf,
  objections: Objections,
): WayIn | undefined {
  const now = objections(facts);
  if (now === undefined || now.length === 0) return undefined;
  const hard = (ids: readonly string[]): readonly string[] =>
    ids.filter((id) => liftedBy(bundle, id) === undefined);
  const lifting = hard(now).length === 0 ? way(bundle, now, []) : undefined;
  let best = lifting;
  for (const place of new Set([...PLACES, ...subjects])) {
    // One rule to lift and nothing to obtain cannot be beaten.
    if (best !== undefined && sizeOf(best) <= 1) break;
    const offered = obtainableFacts(facts, place, words);
    const most = objections(withObtained(facts, offered));
    if (most === undefined) break;
    if (hard(most).length > 0) continue;
    for (const enough of [
      (ids: readonly string[]): boolean => ids.every((id) => most.includes(id)),
      (ids: readonly string[]): boolean => hard(ids).length === 0,
    ]) {
      const needed = fewest(facts, offered, enough, objections);
      const left = needed && objections(withObtained(facts, needed));
      if (needed === undefined || left === undefined) break;
      const found = way(bundle, left, needed);
      if (best === undefined || sizeOf(found) < sizeOf(best)) best = found;
    }
  }
  return best;
}

/** Halves first, then one by one: what can be left out is left out. Undefined where the time is up. */
function fewest(
  facts: EndpointFacts,
  offered: readonly ObtainableFact[],
  enough: (objections: readonly string[]) => boolean,
  objections: Objections,
): readonly ObtainableFact[] | undefined {
  let kept = offered;
  for (
    let size = Math.ceil(offered.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < kept.length;) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)];
      const left = objections(withObtained(facts, without));
      if (left === undefined) return undefined;
      if (enough(left)) kept = without;
      else at += size;
    }
  }
  return kept;
}

const sizeOf = (found: WayIn): number => found.lift.length + found.facts.length;

function way(
  bundle: PolicyBundle,
  left: readonly string[],
  obtained: readonly ObtainableFact[],
): WayIn {
  return {
    lift: left.toSorted().flatMap((id) => {
      const cited: PolicyCitation | undefined = bundle.citations[id];
      const by = liftedBy(bundle, id);
      return cited && by ? [{ policy: id, reason: cited.reason, law: cited.law, by }] : [];
    }),
    facts: obtained.map(({ fact, says }) => ({ fact, says })),
  };
}

/** Who may lift a rule; nobody lifts the platform's and the law's unless their text asks for an exception. */
function liftedBy(bundle: PolicyBundle, id: string): LiftedBy | undefined {
  const layer = bundle.citations[id]?.layer;
  if (layer === 'request') return 'caller';
  if (layer === 'organisation' || layer === 'workspace' || layer === 'key') return layer;
  return liftablePolicies(bundle).has(id) ? 'exception' : undefined;
}

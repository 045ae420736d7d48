import type { EndpointId } from '#libs/kernel';

import type { Decider } from '../decider.js';
import type { Decision } from '../types.js';
import { decideAll } from './contexts.js';
import type { AnalysisContext } from './contexts.js';

/** What going from one bundle to another changes for one context. */
export interface ContextDiff {
  readonly context: string;
  readonly newlyRefused: readonly EndpointDiff[];
  readonly newlyAllowed: readonly EndpointDiff[];
  /** Refused under both, by other policies. */
  readonly refusedOtherwise: readonly EndpointDiff[];
  /** Allowed under both, or refused under both by the same policies. */
  readonly unchanged: number;
  /** Endpoints of one catalog only: nothing to compare. */
  readonly uncompared: number;
}

export interface EndpointDiff {
  readonly endpointId: EndpointId;
  /** Policies that objected, sorted; empty where it was allowed, or where no policy permitted. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** Endpoints are matched by id, so the two deciders may stand on different catalogs. */
export function diffBundles(
  before: Decider,
  after: Decider,
  contexts: readonly AnalysisContext[],
  nowMs: number,
): ContextDiff[] {
  return contexts.map((context) => {
    const old = outcomes(decideAll(before, context, nowMs));
    const now = outcomes(decideAll(after, context, nowMs));
    return { context: context.name, ...compared(old, now) };
  });
}

interface Outcome {
  readonly allowed: boolean;
  readonly policyIds: readonly string[];
}

type Outcomes = ReadonlyMap<EndpointId, Outcome>;

const ALLOWED: Outcome = { allowed: true, policyIds: [] };

function outcomes({ permitted, excluded }: Decision): Outcomes {
  const found = new Map<EndpointId, Outcome>();
  for (const { id } of permitted) found.set(id, ALLOWED);
  for (const { policyIds, endpoints } of excluded) {
    const refused = { allowed: false, policyIds };
    for (const { id } of endpoints) found.set(id, refused);
  }
  return found;
}

function compared(old: Outcomes, now: Outcomes): Omit<ContextDiff, 'context'> {
  const newlyRefused: EndpointDiff[] = [];
  const newlyAllowed: EndpointDiff[] = [];
  const refusedOtherwise: EndpointDiff[] = [];
  let unchanged = 0;
  let common = 0;
  for (const [endpointId, after] of now) {
    const before = old.get(endpointId);
    if (before === undefined) continue;
    common += 1;
    const diff = { endpointId, before: before.policyIds, after: after.policyIds };
    if (before.allowed && !after.allowed) newlyRefused.push(diff);
    else if (!before.allowed && after.allowed) newlyAllowed.push(diff);
    else if (before.policyIds.join(' ') === after.policyIds.join(' ')) unchanged += 1;
    else refusedOtherwise.push(diff);
  }
  const uncompared = old.size - common + (now.size - common);
  return { newlyRefused, newlyAllowed, refusedOtherwise, unchanged, uncompared };
}

import type { PolicyJson, Verdict } from '../cedar.js';
import { Unsupported } from './expression.js';
import { compilePolicy, restOf } from './policy.js';
import type { CompiledPolicy, Conjunct, Rest } from './policy.js';
import { isFault, NOT_YET } from './scene.js';
import type { EntityStore, Scene } from './scene.js';
import type { CedarRecord, EntityUid } from './values.js';

export type CompileResult =
  | { readonly ok: true; readonly set: CompiledSet }
  /** For cedar-wasm only: one entry per policy that uses what the compiled evaluator does not have. */
  | { readonly ok: false; readonly unsupported: readonly UnsupportedPolicy[] };

export interface UnsupportedPolicy {
  readonly policyId: string;
  readonly operator: string;
}

/** Cedar's answer with its diagnostics; ids sorted, as Cedar's own order is not stable. */
export interface Answer {
  readonly decision: 'allow' | 'deny';
  /** Determining: the forbids that matched, else the permits. */
  readonly reason: readonly string[];
  /** Policies that could not be evaluated. Cedar skips them; whoever reads this must deny. */
  readonly errors: readonly string[];
}

/** Policies by id in Cedar's JSON form → closures. Some microseconds per policy. */
export function compilePolicies(policies: Readonly<Record<string, PolicyJson>>): CompileResult {
  const compiled: CompiledPolicy[] = [];
  const unsupported: UnsupportedPolicy[] = [];
  for (const id of Object.keys(policies).toSorted()) {
    const json = policies[id];
    if (json === undefined) continue;
    try {
      compiled.push(compilePolicy(id, json));
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      unsupported.push({ policyId: id, operator: error.message });
    }
  }
  if (unsupported.length > 0) return { ok: false, unsupported };
  return { ok: true, set: new CompiledSet(compiled) };
}

/** What a request brings along, whatever endpoint is then looked at. */
export interface Asked {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  /** Undefined where only the asker is known: see `couldMatch`. */
  readonly context: CedarRecord | undefined;
  /** The principal and all that it is in. Nothing in it may be in an entity of the endpoint's. */
  readonly entities: EntityStore;
}

export class CompiledSet {
  constructor(private readonly policies: readonly CompiledPolicy[]) {}

  /**
   * Answers now what no endpoint can change: a policy about somebody else, or whose leading conditions on
   * context and principal already fail, is not asked again.
   */
  bind(asked: Asked): BoundSet {
    const scene = sceneOf(asked);
    const live: LivePolicy[] = [];
    let timed = false;
    for (const policy of this.policies) {
      const bound = bindPolicy(policy, scene);
      timed ||= bound.timed;
      if (bound.rest) live.push({ policy, conjuncts: bound.rest.conjuncts });
    }
    return new BoundSet(scene, live, timed);
  }

  /**
   * Ids of policies that some context and endpoint may match, sorted: no part of them is known to fail.
   * A part that cannot be evaluated counts as one that may hold.
   */
  couldMatch(asked: Asked): readonly string[] {
    const scene = sceneOf(asked);
    const could = this.policies.filter(
      ({ principal, actionKey, conditions }) =>
        (actionKey === undefined || actionKey === asked.action.key) &&
        [...principal, ...conditions].every((c) => heldAlready(c, scene) !== 'no'),
    );
    return could.map((p) => p.id);
  }
}

function sceneOf({ principal, action, context, entities }: Asked): Scene {
  return { principal, action, resource: undefined, context, asker: entities, asked: undefined };
}

interface LivePolicy {
  readonly policy: CompiledPolicy;
  /** What is left to ask. None: it matches every endpoint. */
  readonly conjuncts: readonly Conjunct[];
}

/** `rest` undefined: it matches no endpoint. `timed`: what settled that, or is still to ask, reads the time. */
interface BoundPolicy {
  readonly rest: Rest | undefined;
  readonly timed: boolean;
}

const NEVER: BoundPolicy = { rest: undefined, timed: false };
const NEVER_NOW: BoundPolicy = { rest: undefined, timed: true };

function bindPolicy(policy: CompiledPolicy, scene: Scene): BoundPolicy {
  const { principal, actionKey, resource, conditions } = policy;
  if (actionKey !== undefined && actionKey !== scene.action.key) return NEVER;
  for (const [at, conjunct] of principal.entries()) {
    const held = heldAlready(conjunct, scene);
    if (held === 'later') {
      return late(restOf([...principal.slice(at), ...resource, ...conditions]), false);
    }
    // Scopes cannot fail.
    if (held !== 'yes') return NEVER;
  }
  let timed = false;
  let known = 0;
  for (const conjunct of conditions) {
    const held = heldAlready(conjunct, scene);
    if (held === 'later') break;
    timed ||= conjunct.timed;
    if (held === 'no') return timed ? NEVER_NOW : NEVER;
    // It fails for the endpoints in its scope only.
    if (held === 'fault') return late(restOf([...resource, conjunct]), timed);
    known += 1;
  }
  return late(policy.rest[known] ?? restOf(resource), timed);
}

const late = (rest: Rest, timed: boolean): BoundPolicy => ({ rest, timed: timed || rest.timed });

function heldAlready(conjunct: Conjunct, scene: Scene): 'yes' | 'no' | 'fault' | 'later' {
  if (conjunct.late) return 'later';
  try {
    return conjunct.holds(scene) ? 'yes' : 'no';
  } catch (error) {
    if (error === NOT_YET) return 'later';
    if (isFault(error)) return 'fault';
    throw error;
  }
}

/** One request's policies, with what is known before an endpoint is looked at already answered. */
export class BoundSet {
  constructor(
    private readonly scene: Scene,
    private readonly live: readonly LivePolicy[],
    /** True where some answer hangs on the context's `now`. */
    readonly timed: boolean,
  ) {}

  /** Ids of policies that some endpoint may match, sorted. */
  get liveIds(): readonly string[] {
    return this.live.map(({ policy }) => policy.id);
  }

  evaluate(resource: EntityUid, entities: EntityStore): Answer {
    const scene: Scene = { ...this.scene, resource, asked: entities };
    const permits: string[] = [];
    const forbids: string[] = [];
    const errors: string[] = [];
    for (const { policy, conjuncts } of this.live) {
      try {
        if (!matches(conjuncts, scene)) continue;
        (policy.effect === 'permit' ? permits : forbids).push(policy.id);
      } catch (error) {
        if (!isFault(error)) throw error;
        errors.push(policy.id);
      }
    }
    const allow = forbids.length === 0 && permits.length > 0;
    return { decision: allow ? 'allow' : 'deny', reason: allow ? permits : forbids, errors };
  }
}

function matches(conjuncts: readonly Conjunct[], scene: Scene): boolean {
  for (const { holds } of conjuncts) if (!holds(scene)) return false;
  return true;
}

/** The house's rule over Cedar's: an error denies, and what is named then is no reason for a refusal. */
export function verdictOf({ decision, reason, errors }: Answer): Verdict {
  const errored = errors.length > 0;
  const allowed = decision === 'allow' && !errored;
  return { allowed, errored, policyIds: allowed || decision === 'deny' ? reason : [] };
}

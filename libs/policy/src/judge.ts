// Who answers: the compiled evaluator, watched by cedar-wasm; or cedar-wasm alone, where a policy uses what
// the compiled one does not have, and for ever after the two have once disagreed.
import type { Catalog, Endpoint } from '#libs/catalog';
import { DomainError } from '#libs/kernel';

import { ParsedSet, SEND_PROMPT } from './cedar.js';
import type { CedarValueJson, EntityJson, Verdict } from './cedar.js';
import { verdictOf } from './compiled/compiled-set.js';
import type { BoundSet, CompiledSet } from './compiled/compiled-set.js';
import { isFault, recordOf, storeOf, uidOf } from './compiled/scene.js';
import { endpointFacts } from './endpoint-facts.js';
import type { EndpointFacts } from './endpoint-facts.js';
import { handleOf } from './endpoint-handles.js';
import type { EndpointHandle } from './endpoint-handles.js';
import { contextOf, endpointEntities, endpointUid, keyUid, principalEntities } from './entities.js';
import type { PolicyErrorCode } from './errors.js';
import type { BreakGlass } from './exceptions.js';
import type { Ground } from './grounds.js';
import { warmUp } from './probe.js';
import type { PolicyBundle, PrincipalProfile, RequestFacts } from './types.js';

/** Of the compiled evaluator's answers one in so many is also asked of cedar-wasm (0.4 ms). */
export const SHADOW_ONE_IN = 1_000;
/** And so are the first ones of a judge: a fault that shows at all mostly shows at once. */
export const SHADOW_FIRST = 32;
/** Of the answers that an endpoint shares with its class, one in so many: a class may have been drawn too wide. */
export const SHADOW_SHARED_ONE_IN = 8_192;

/** Compiled evaluations that weigh as much as one of cedar-wasm's. */
const COMPILED_PER_WASM = 100;

/** The compiled evaluator and cedar-wasm disagreed. Holds no content: ids and verdicts only. */
export interface Mismatch {
  readonly policyVersion: string;
  readonly catalogVersion: string;
  readonly endpointId: string;
  readonly compiled: Verdict;
  /** cedar-wasm's, which is the one that counted. */
  readonly authority: Verdict;
}

/** What of a mismatch is told to others and kept. */
export type EvaluatorFinding = Pick<Mismatch, 'policyVersion' | 'catalogVersion' | 'endpointId'>;

export interface JudgeOptions {
  /** Called once per bundle, inside the decision that found it. Decisions cached earlier are in doubt. */
  readonly onMismatch?: (mismatch: Mismatch) => void;
}

/**
 * Versions under which something of ours was once found wrong: the compiled form, or the drawing of classes too, and then
 * each endpoint is asked about alone (which takes seconds over the whole catalog). Grows by faults of ours only.
 */
const distrusted = new Map<string, 'compiled' | 'classes'>();

/** In this process, from now on: as after a mismatch that another process found, or this one before it was restarted. */
export const distrustCompiled = (policyVersion: string): void => {
  if (!distrusted.has(policyVersion)) distrusted.set(policyVersion, 'compiled');
};

/** Somebody looked into it and takes the compiled form of this bundle for right. */
export const trustCompiled = (policyVersion: string): void => {
  distrusted.delete(policyVersion);
};

export class Judge {
  readonly #bundle: PolicyBundle;
  readonly #catalog: Catalog;
  readonly #compiled: CompiledSet | undefined;
  readonly #onMismatch: JudgeOptions['onMismatch'];
  readonly #authority: ParsedSet;
  #answers = 0;
  #shared = 0;

  /** Parses now. Throws `policy-bundle-unusable` where the bundle is not one that `buildBundle` made. */
  constructor(
    bundle: PolicyBundle,
    catalog: Catalog,
    compiled: CompiledSet | undefined,
    options: JudgeOptions,
  ) {
    this.#bundle = bundle;
    this.#catalog = catalog;
    this.#compiled = compiled;
    this.#onMismatch = options.onMismatch;
    this.#authority = new ParsedSet(bundle.schema, bundle.policies);
    const prepared = this.#authority.prepare();
    if (!prepared.ok) {
      const message = `not a bundle: ${prepared.messages.join('; ')}`;
      throw new DomainError<PolicyErrorCode>('policy-bundle-unusable', message);
    }
    warmUp(this.#authority);
  }

  /** What answers now; `compiled` can become `cedar-wasm` at any answer, and back by an operator's word only. */
  get evaluator(): 'compiled' | 'cedar-wasm' {
    return this.#compiled === undefined || distrusted.has(this.#bundle.version)
      ? 'cedar-wasm'
      : 'compiled';
  }

  /** False where classes of endpoints were once drawn too wide: each is asked about alone. */
  get trustsClasses(): boolean {
    return distrusted.get(this.#bundle.version) !== 'classes';
  }

  /** Opens the case of one request. */
  hear({ profile, facts, breakGlass, ground, nowMs, stretch }: HeardRequest): Hearing {
    const principal = principalEntities(profile);
    const context = contextOf(facts, nowMs, breakGlass);
    return {
      context,
      bound: this.evaluator === 'compiled' ? this.#bind(profile, principal, context) : undefined,
      profile,
      principal,
      ground,
      nowMs,
      stretch,
      spent: 0,
    };
  }

  #bind(
    profile: PrincipalProfile,
    principal: readonly EntityJson[],
    context: Hearing['context'],
  ): BoundSet | undefined {
    return unlessFault(() =>
      this.#compiled?.bind({
        principal: uidOf(keyUid(profile)),
        action: uidOf(SEND_PROMPT),
        context: recordOf(context),
        entities: storeOf(principal),
      }),
    );
  }

  judge(endpoint: Endpoint, hearing: Hearing): Verdict {
    const { ground, nowMs, stretch } = hearing;
    return this.#answer(hearing, {
      id: endpoint.id,
      handle: () => ground.handles.of(endpoint, stretch, nowMs),
      facts: () => endpointFacts(endpoint, ground.catalog, nowMs),
    });
  }

  /** Asks cedar-wasm, now and then, whether an endpoint's own answer is the one that its class was given. */
  recheck(endpoint: Endpoint, hearing: Hearing, given: Verdict): void {
    this.#shared += 1;
    if (this.#shared > SHADOW_FIRST && this.#shared % SHADOW_SHARED_ONE_IN !== 0) return;
    const { ground, nowMs } = hearing;
    const facts = endpointFacts(endpoint, ground.catalog, nowMs);
    const authority = this.#ask({ facts: () => facts }, hearing);
    if (alike(given, authority)) return;
    const alone = this.#compiledAnswer(hearing, () => handleOf(facts));
    // The evaluator is right about this endpoint alone, or was not asked: then its class is what is wrong.
    const classes = alone === undefined || alike(alone, authority);
    this.#differ(classes ? 'classes' : 'compiled', given, authority, endpoint.id);
  }

  /** The verdict on facts that no endpoint has, or not yet. */
  judgeFacts(facts: EndpointFacts, hearing: Hearing): Verdict {
    const id = facts.endpointId;
    return this.#answer(hearing, { id, handle: () => handleOf(facts), facts: () => facts });
  }

  #answer(hearing: Hearing, resource: Resource): Verdict {
    const compiled = this.#compiledAnswer(hearing, () => resource.handle());
    if (compiled === undefined) return this.#ask(resource, hearing);
    hearing.spent += 1 / COMPILED_PER_WASM;
    this.#answers += 1;
    if (this.#answers > SHADOW_FIRST && this.#answers % SHADOW_ONE_IN !== 0) return compiled;

    const authority = this.#ask(resource, hearing);
    if (!alike(compiled, authority)) this.#differ('compiled', compiled, authority, resource.id);
    return authority;
  }

  #compiledAnswer({ bound }: Hearing, handle: () => EndpointHandle): Verdict | undefined {
    if (bound === undefined || this.evaluator === 'cedar-wasm') return undefined;
    return unlessFault(() => {
      const { uid, entities } = handle();
      return verdictOf(bound.evaluate(uid, entities));
    });
  }

  #differ(
    what: 'compiled' | 'classes',
    compiled: Verdict,
    authority: Verdict,
    endpointId: string,
  ): void {
    const { version: policyVersion } = this.#bundle;
    const { version: catalogVersion } = this.#catalog;
    distrusted.set(policyVersion, what);
    this.#onMismatch?.({ policyVersion, catalogVersion, endpointId, compiled, authority });
  }

  #ask(resource: Pick<Resource, 'facts'>, hearing: Hearing): Verdict {
    hearing.spent += 1;
    const facts = resource.facts();
    const entities = [...hearing.principal, ...endpointEntities(facts)];
    const { profile, context } = hearing;
    return this.#authority.evaluate(keyUid(profile), endpointUid(facts), context, entities);
  }
}

/** What is judged, made for the evaluator that asks. */
interface Resource {
  readonly id: string;
  readonly handle: () => EndpointHandle;
  readonly facts: () => EndpointFacts;
}

/** What one request asks, of whom, and on which facts. */
export interface HeardRequest {
  readonly profile: PrincipalProfile;
  readonly facts: RequestFacts;
  readonly breakGlass: BreakGlass | undefined;
  /** The catalog as it is for the asking organisation. */
  readonly ground: Ground;
  readonly nowMs: number;
  /** From `ground.classes.enter`. */
  readonly stretch: number;
}

/** One request before the judge. */
export interface Hearing {
  readonly context: Record<string, CedarValueJson>;
  readonly profile: PrincipalProfile;
  readonly principal: readonly EntityJson[];
  readonly bound: BoundSet | undefined;
  readonly ground: Ground;
  readonly nowMs: number;
  readonly stretch: number;
  /** Work done so far, in evaluations of cedar-wasm's. */
  spent: number;
}

/** A value that the compiled evaluator cannot hold is cedar-wasm's business. */
function unlessFault<T>(answer: () => T): T | undefined {
  try {
    return answer();
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

const alike = (a: Verdict, b: Verdict): boolean =>
  a.allowed === b.allowed &&
  a.errored === b.errored &&
  a.policyIds.length === b.policyIds.length &&
  a.policyIds.every((id, at) => id === b.policyIds[at]);

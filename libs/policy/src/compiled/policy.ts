// One policy → the conjuncts that must all hold for it to match, in the order in which Cedar asks them.
import type { PolicyJson } from '../cedar.js';
import { isNode, operatorOf } from '../reads.js';
import { compile, Unsupported } from './expression.js';
import type { Compiled } from './expression.js';
import { bool } from './operators.js';
import type { Scene } from './scene.js';

export interface Conjunct extends Pick<Compiled, 'late' | 'timed'> {
  /** Throws FAULT, or NOT_YET where the scene is not complete. */
  readonly holds: (scene: Scene) => boolean;
}

export interface CompiledPolicy {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly principal: readonly Conjunct[];
  /** Undefined: any action. */
  readonly actionKey: string | undefined;
  readonly resource: readonly Conjunct[];
  readonly conditions: readonly Conjunct[];
  /** By how many conditions are known to hold already: what is left to ask of an endpoint. */
  readonly rest: readonly Rest[];
}

export interface Rest {
  readonly conjuncts: readonly Conjunct[];
  readonly timed: boolean;
}

/** Throws `Unsupported`. */
export function compilePolicy(id: string, json: PolicyJson): CompiledPolicy {
  const resource = scope('resource', json.resource);
  const conditions = json.conditions.flatMap(({ kind, body }) =>
    conjuncts(body, kind === 'unless'),
  );
  return {
    id,
    effect: json.effect,
    principal: scope('principal', json.principal),
    actionKey: action(json.action),
    resource,
    conditions,
    rest: Array.from({ length: conditions.length + 1 }, (_, known) =>
      restOf([...resource, ...conditions.slice(known)]),
    ),
  };
}

export const restOf = (conjuncts: readonly Conjunct[]): Rest => ({
  conjuncts,
  timed: conjuncts.some((c) => c.timed),
});

/** `a && b` is asked as a, then b, and `!(a || b)` as !a, then !b: the first may settle it early. */
function conjuncts(expr: unknown, negated: boolean): Conjunct[] {
  const [name, body] = operatorOf(expr);
  if (isNode(body)) {
    if (name === (negated ? '||' : '&&')) {
      return [...conjuncts(body['left'], negated), ...conjuncts(body['right'], negated)];
    }
    if (name === '!') return conjuncts(body['arg'], !negated);
  }
  const compiled = compile(expr);
  const { run, late, timed, constant } = compiled;
  if (constant === !negated) return [];
  return [
    { late, timed, holds: negated ? (scene) => !bool(run(scene)) : (scene) => bool(run(scene)) },
  ];
}

/** A scope is a condition about its variable that cannot fail. */
function scope(variable: 'principal' | 'resource', constraint: unknown): Conjunct[] {
  if (!isNode(constraint)) throw new Unsupported('scope');
  const of = { Var: variable };
  const { op } = constraint;
  if (op === 'All') return [];
  if (op === '==') return conjuncts({ '==': { left: of, right: entityIn(constraint) } }, false);
  if (op === 'in') return conjuncts({ in: { left: of, right: entityIn(constraint) } }, false);
  if (op !== 'is') throw new Unsupported('scope');
  const { entity_type, in: parent } = constraint;
  const within = isNode(parent) ? { in: entityIn(parent) } : {};
  return conjuncts({ is: { left: of, entity_type, ...within } }, false);
}

function entityIn(constraint: Readonly<Record<string, unknown>>): { Value: unknown } {
  const { entity } = constraint;
  if (!isNode(entity)) throw new Unsupported('template');
  return { Value: '__entity' in entity ? entity : { __entity: entity } };
}

function action(constraint: PolicyJson['action']): string | undefined {
  if (constraint.op === 'All') return undefined;
  // Whether an action is in a group stands in the schema.
  if (constraint.op !== '==' || !('entity' in constraint)) throw new Unsupported('action in');
  const { entity } = constraint;
  const { type, id } = '__entity' in entity ? entity.__entity : entity;
  return `${type} ${id}`;
}

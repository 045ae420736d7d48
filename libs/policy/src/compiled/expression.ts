// One expression of Cedar's JSON form → one closure. What is not listed here is not supported, and a set
// that uses it is left to cedar-wasm. Operands are evaluated in Cedar's order, and only those Cedar would.
import type { CedarValueJson } from '../cedar.js';
import { isNode, operatorOf } from '../reads.js';
import { likePattern } from './like.js';
import { bool, entity, OF_ONE, OF_TWO } from './operators.js';
import { entityOf, isFault, NOT_YET, valueOf } from './scene.js';
import type { Scene } from './scene.js';
import { BINARY, UNARY } from './time.js';
import { CedarSet, EntityUid, FAULT, isRecord } from './values.js';
import type { CedarRecord, Value } from './values.js';

export interface Compiled {
  readonly run: (scene: Scene) => Value;
  /** Present where the answer is the same in every scene. */
  readonly constant?: Value;
  /** True where the resource may be read: the answer waits until an endpoint is looked at. */
  readonly late: boolean;
  /** True where the context's `now` may be read. */
  readonly timed: boolean;
}

/** Names an operator that the compiled evaluator does not have. Load time only. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** Throws `Unsupported`. */
export function compile(expr: unknown): Compiled {
  const [name, body] = operatorOf(expr);
  if (name === 'Value') return literal(body);
  if (name === 'Var') return variable(body);
  if (name === 'Set' && Array.isArray(body)) return set(body.map(compile));
  if (name === 'Record' && isNode(body)) return record(body);
  if (Array.isArray(body)) return call(name, body);
  if (!isNode(body)) throw new Unsupported(name);
  const { left, right } = body;
  if (name === '.') return attribute(left, body['attr']);
  if (name === 'has') return has(left, body['attr']);
  if (name === 'like') return like(compile(left), body['pattern']);
  if (name === 'is') return is(left, body['entity_type'], body['in']);
  if (name === 'in') return within(compile(left), compile(right));
  if (name === '&&') return shortCircuit(compile(left), compile(right), false);
  if (name === '||') return shortCircuit(compile(left), compile(right), true);
  if (name === 'if-then-else') {
    return choice(compile(body['if']), compile(body['then']), compile(body['else']));
  }
  const ofOne = own(OF_ONE, name);
  if (ofOne) return one(compile(body['arg']), ofOne);
  const ofTwo = own(OF_TWO, name);
  if (ofTwo) return two(compile(left), compile(right), ofTwo);
  throw new Unsupported(name);
}

const own = <T>(of: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(of, name) ? of[name] : undefined;

function call(name: string, operands: readonly unknown[]): Compiled {
  const unary = own(UNARY, name);
  if (unary && operands.length === 1) return one(compile(operands[0]), unary);
  const binary = own(BINARY, name);
  if (binary && operands.length === 2) {
    return two(compile(operands[0]), compile(operands[1]), binary);
  }
  throw new Unsupported(name);
}

function literal(body: unknown): Compiled {
  try {
    return constant(valueOf(body as CedarValueJson));
  } catch (error) {
    if (isFault(error)) throw new Unsupported('a literal beyond 2^53');
    throw error;
  }
}

const constant = (value: Value): Compiled => ({
  run: () => value,
  constant: value,
  late: false,
  timed: false,
});

const NOWHERE: Scene = {
  principal: new EntityUid('', ''),
  action: new EntityUid('', ''),
  resource: undefined,
  context: undefined,
  asker: new Map(),
  asked: undefined,
};

/** A closure over operands; folded where all are constant. A fault is kept for the evaluation. */
function over(operands: readonly Compiled[], run: Compiled['run']): Compiled {
  const compiled = {
    run,
    late: operands.some((o) => o.late),
    timed: operands.some((o) => o.timed),
  };
  if (!operands.every((o) => o.constant !== undefined)) return compiled;
  try {
    return constant(run(NOWHERE));
  } catch (error) {
    // NOT_YET: an entity named in the text is looked up, which needs a scene.
    if (isFault(error) || error === NOT_YET) return compiled;
    throw error;
  }
}

const one = (of: Compiled, apply: (v: Value) => Value): Compiled =>
  over([of], (s) => apply(of.run(s)));

const two = (left: Compiled, right: Compiled, apply: (a: Value, b: Value) => Value): Compiled =>
  over([left, right], (s) => apply(left.run(s), right.run(s)));

function variable(name: unknown): Compiled {
  if (name === 'principal') return { run: (s) => s.principal, late: false, timed: false };
  if (name === 'resource') return { run: (s) => s.resource ?? notYet(), late: true, timed: false };
  // Read as a whole, the time is read with it; `timedBy` knows of single attributes.
  if (name === 'context') return { run: (s) => s.context ?? notYet(), late: false, timed: true };
  // Groups of actions stand in the schema, which is not read here.
  throw new Unsupported(`variable ${String(name)}`);
}

function notYet(): never {
  throw NOT_YET;
}

function fault(): never {
  throw FAULT;
}

function timedBy(left: unknown, of: Compiled, name: string): boolean {
  const [operator, body] = operatorOf(left);
  return operator === 'Var' && body === 'context' ? name === 'now' : of.timed;
}

/** Undefined: an entity that is not in the scene. */
function fieldsOf(value: Value, scene: Scene): CedarRecord | undefined {
  if (value instanceof EntityUid) return entityOf(scene, value)?.attributes;
  return isRecord(value) ? value : fault();
}

function attribute(left: unknown, name: unknown): Compiled {
  if (typeof name !== 'string') throw new Unsupported('.');
  const of = compile(left);
  const read = over([of], (s) => fieldsOf(of.run(s), s)?.get(name) ?? fault());
  return { ...read, timed: timedBy(left, of, name) };
}

/** `x has a.b.c` is `x has a && x.a has b && x.a.b has c`. */
function has(left: unknown, attr: unknown): Compiled {
  const names: readonly unknown[] = Array.isArray(attr) ? attr : [attr];
  if (!names.every((name) => typeof name === 'string')) throw new Unsupported('has');
  const of = compile(left);
  const tested = over([of], (s) => {
    let value = of.run(s);
    for (const name of names) {
      const field = fieldsOf(value, s)?.get(name);
      if (field === undefined) return false;
      value = field;
    }
    return true;
  });
  return { ...tested, timed: timedBy(left, of, names[0] ?? '') };
}

function set(elements: readonly Compiled[]): Compiled {
  const runs = elements.map((e) => e.run);
  return over(elements, (s) => new CedarSet(runs.map((run) => run(s))));
}

function record(body: Readonly<Record<string, unknown>>): Compiled {
  const fields = Object.entries(body).map(([name, value]) => [name, compile(value)] as const);
  return over(
    fields.map(([, field]) => field),
    (s) => new Map(fields.map(([name, field]) => [name, field.run(s)])),
  );
}

function like(of: Compiled, pattern: unknown): Compiled {
  const matches = likePattern(pattern);
  if (!matches) throw new Unsupported('like');
  return one(of, matches);
}

function is(left: unknown, type: unknown, parent: unknown): Compiled {
  if (typeof type !== 'string') throw new Unsupported('is');
  const of = compile(left);
  const typed = one(of, (v) => entity(v).type === type);
  return parent === undefined ? typed : shortCircuit(typed, within(of, compile(parent)), false);
}

/** Each thing is in itself. On the right stands an entity or a set of entities, and nothing else. */
function within(left: Compiled, right: Compiled): Compiled {
  const { constant: fixed } = right;
  const named = fixed instanceof EntityUid ? [fixed.key] : undefined;
  return over([left, right], (s) => {
    const child = left.run(s);
    const parents = named ?? keysOf(right.run(s));
    const uid = entity(child);
    if (parents.includes(uid.key)) return true;
    if (parents.length === 0) return false;
    const ancestors = entityOf(s, uid)?.ancestors;
    return ancestors !== undefined && parents.some((key) => ancestors.has(key));
  });
}

function keysOf(parents: Value): readonly string[] {
  return parents instanceof CedarSet ? (parents.entityKeys ?? fault()) : [entity(parents).key];
}

function shortCircuit(left: Compiled, right: Compiled, decisive: boolean): Compiled {
  if (left.constant === decisive) return left;
  return over([left, right], (s) =>
    bool(left.run(s)) === decisive ? decisive : bool(right.run(s)),
  );
}

function choice(test: Compiled, then: Compiled, otherwise: Compiled): Compiled {
  return over([test, then, otherwise], (s) => (bool(test.run(s)) ? then : otherwise).run(s));
}

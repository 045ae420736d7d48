// What a policy can read, found in its JSON. Everything here over-approximates: a read that is not certain
// to be harmless counts. Decisions are shared between endpoints and keys by what is *not* read.
import { NAMESPACE } from './cedar.js';
import type { PolicyJson } from './cedar.js';

export type EntityType = 'Organisation' | 'Workspace' | 'Key' | 'Provider' | 'Model' | 'Endpoint';

export interface Reads {
  /** Names of attributes of any entity, record or the context. */
  readonly attributes: ReadonlySet<string>;
  /** Entity types whose identity is compared in a way not known to be with literals only. */
  readonly identities: ReadonlySet<EntityType>;
  /** Entities named in the text, `Type::id`: what is not named is told from these only, not from each other. */
  readonly named: ReadonlySet<string>;
  /** True where the policy uses something whose reads cannot be told: everything counts as read. */
  readonly everything: boolean;
}

/** Attributes of the schema that hold an entity: reading one as a whole reads its identity. */
const ENTITY_ATTRIBUTES: Readonly<Record<string, EntityType>> = {
  provider: 'Provider',
  model: 'Model',
  workspace: 'Workspace',
  organisation: 'Organisation',
};

interface Found {
  attributes: Set<string>;
  identities: Set<EntityType>;
  named: Set<string>;
  everything: boolean;
}

type Node = Readonly<Record<string, unknown>>;

export const isNode = (v: unknown): v is Node =>
  typeof v === 'object' && v !== null && !Array.isArray(v);

/** The single operator of an expression in Cedar's JSON form. */
export function operatorOf(expr: unknown): readonly [name: string, body: unknown] {
  if (!isNode(expr)) return ['', undefined];
  const entries = Object.entries(expr);
  return entries.length === 1 && entries[0] !== undefined ? entries[0] : ['', undefined];
}

export function readsOf(policy: PolicyJson): Reads {
  const found: Found = {
    attributes: new Set(),
    identities: new Set(),
    named: new Set(),
    everything: false,
  };
  scope(policy.principal, found);
  scope(policy.resource, found);
  for (const { body } of policy.conditions) walk(body, found);
  return found;
}

export function unionOf(all: readonly Reads[]): Reads {
  return {
    attributes: new Set(all.flatMap((r) => [...r.attributes])),
    identities: new Set(all.flatMap((r) => [...r.identities])),
    named: new Set(all.flatMap((r) => [...r.named])),
    everything: all.some((r) => r.everything),
  };
}

/** `Type::id` of a literal entity, without our namespace. */
export function literalOf(value: unknown): { type: string; id: string } | undefined {
  const uid = isNode(value) && '__entity' in value ? value['__entity'] : value;
  if (!isNode(uid)) return undefined;
  const { type, id } = uid;
  if (typeof type !== 'string' || typeof id !== 'string') return undefined;
  return { type: type.startsWith(`${NAMESPACE}::`) ? type.slice(NAMESPACE.length + 2) : type, id };
}

function scope(constraint: unknown, found: Found): void {
  if (!isNode(constraint) || constraint['op'] === 'All') return;
  const within = constraint['op'] === 'is' ? constraint['in'] : constraint;
  if (within === undefined) return;
  const literal = isNode(within) ? literalOf(within['entity']) : undefined;
  if (literal) named(literal, found);
  else found.everything = true;
}

function named(literal: { type: string; id: string }, found: Found): void {
  found.named.add(`${literal.type}::${literal.id}`);
}

/** Whether a policy with these reads can tell this entity from others of its type by who it is. */
export const isToldApart = (
  { everything, identities, named: byName }: Reads,
  type: EntityType,
  id: string,
): boolean => everything || identities.has(type) || byName.has(`${type}::${id}`);

function walk(expr: unknown, found: Found): void {
  const [name, body] = operatorOf(expr);
  if (name === 'Value') return value(body, found);
  if (name === 'Var') return variable(body, found);
  if (name === '.' || name === 'has') return access(body, name === '.', found);
  if (name === 'in') return membership(body, found);
  if (name === '==' || name === '!=' || name === 'contains') return comparison(name, body, found);
  if (name === 'like' && isNode(body)) return walk(body['left'], found);
  if (name === 'Set' && Array.isArray(body)) return body.forEach((e) => walk(e, found));
  if (name === 'is' && isNode(body)) {
    walk(body['left'], found);
    if (body['in'] !== undefined) walk(body['in'], found);
    return;
  }
  if (name === '' || name === 'Slot' || name === 'getTag' || name === 'hasTag') {
    found.everything = true;
    return;
  }
  // Operators with operands by name, records, and extension functions with operands in a list.
  if (Array.isArray(body)) body.forEach((e) => walk(e, found));
  else if (isNode(body)) Object.values(body).forEach((e) => walk(e, found));
  else found.everything = true;
}

function value(literal: unknown, found: Found): void {
  if (Array.isArray(literal)) return literal.forEach((v) => value(v, found));
  const entity = literalOf(literal);
  if (entity) named(entity, found);
  else if (isNode(literal)) Object.values(literal).forEach((v) => value(v, found));
}

/** A variable that is not only the root of an attribute: the whole thing is read. */
function variable(name: unknown, found: Found): void {
  if (name === 'action') return;
  if (name === 'principal') {
    for (const type of ['Key', 'Workspace', 'Organisation'] as const) found.identities.add(type);
  } else if (name === 'resource') {
    found.identities.add('Endpoint');
  } else found.everything = true;
}

/** `left.attr` and `left has attr`. Only the last attribute's value is read as a whole. */
function access(body: unknown, whole: boolean, found: Found): void {
  if (!isNode(body)) {
    found.everything = true;
    return;
  }
  const attrs: unknown[] = Array.isArray(body['attr']) ? body['attr'] : [body['attr']];
  for (const attr of attrs) {
    if (typeof attr === 'string') found.attributes.add(attr);
    else found.everything = true;
  }
  const entity = whole ? ENTITY_ATTRIBUTES[String(body['attr'])] : undefined;
  if (entity) found.identities.add(entity);
  const [name, inner] = operatorOf(body['left']);
  if (name === 'Var') return;
  if (name === '.') access(inner, false, found);
  else walk(body['left'], found);
}

/** `x == Type::"a"`, `[Type::"a", Type::"b"].contains(x)`: only the literals are told apart. */
function comparison(name: string, body: unknown, found: Found): void {
  if (!isNode(body)) {
    found.everything = true;
    return;
  }
  const { left, right } = body;
  const [ofLeft, ofRight] = [literals(left), name === 'contains' ? undefined : literals(right)];
  const [given, other] = ofLeft === undefined ? [ofRight, left] : [ofLeft, right];
  if (given === undefined) {
    walk(left, found);
    walk(right, found);
    return;
  }
  for (const literal of given) named(literal, found);
  entity(other, found);
}

/** An expression whose value is only held against literals: the way to it is read, its identity is not. */
function entity(expr: unknown, found: Found): void {
  const [name, body] = operatorOf(expr);
  if (name === '.') access(body, false, found);
  else if (name !== 'Var' || body === 'context') walk(expr, found);
}

/** `x in y`: with literals on the right, only these literals are told apart. */
function membership(body: unknown, found: Found): void {
  if (!isNode(body)) {
    found.everything = true;
    return;
  }
  const right = literals(body['right']);
  if (right === undefined) {
    walk(body['left'], found);
    walk(body['right'], found);
    // An endpoint is in its provider, a key in its workspace: parents count with the child.
    if (found.identities.has('Endpoint')) found.identities.add('Provider');
    return;
  }
  // A literal that is a parent tells its children apart from others by its own name.
  for (const literal of right) named(literal, found);
  entity(body['left'], found);
}

function literals(expr: unknown): { type: string; id: string }[] | undefined {
  const [name, body] = operatorOf(expr);
  if (name === 'Value') {
    const one = literalOf(body);
    if (one) return [one];
    if (!Array.isArray(body)) return undefined;
    const many = body.map((v) => literalOf(v)).filter((v) => v !== undefined);
    return many.length === body.length ? many : undefined;
  }
  if (name !== 'Set' || !Array.isArray(body)) return undefined;
  const many = body.map((e) => literals(e));
  return many.every((m) => m !== undefined) ? many.flat() : undefined;
}

// Random policies, entities and requests, mostly well typed and sometimes not: errors must agree as well.
import type { CedarValueJson, EntityJson, PolicyJson, TypeAndId } from '../cedar.js';

/** mulberry32: the same sequence for the same seed, on every machine. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(n: number): number {
    return Math.floor(this.next() * n);
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(from: readonly T[]): T {
    const found = from[this.below(from.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }

  times<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const TYPES = [
  'bool',
  'long',
  'string',
  'set',
  'entity',
  'record',
  'datetime',
  'duration',
] as const;
type Type = (typeof TYPES)[number];
type Expr = Readonly<Record<string, unknown>>;

/** Few names, so that comparisons meet; few attributes, as wasm reads them all on each call. */
const ATTRIBUTES: Readonly<Record<Type, readonly string[]>> = {
  bool: ['b1', 'b2'],
  long: ['l1', 'l2'],
  string: ['s1', 's2'],
  set: ['t1'],
  entity: ['e1'],
  record: ['r1'],
  datetime: ['d1'],
  duration: ['u1'],
};
const STRINGS = [
  '',
  'a',
  'aa',
  'ab',
  'ba',
  'aba',
  'abab',
  'EEA',
  'US',
  'a*b',
  'é😀',
  'constructor',
];
const LONGS = [
  0,
  1,
  2,
  -1,
  -3,
  7,
  2 ** 31,
  2 ** 32,
  -(2 ** 31),
  9_007_199_254_740_991,
  -9_007_199_254_740_991,
];
const DATETIMES = [
  '2026-11-21',
  '2026-11-21T12:00:00Z',
  '2026-11-21T12:00:00.000Z',
  '2026-11-21T13:00:00+0100',
  '1969-12-31T23:59:59.999Z',
  '2024-02-29',
  '0001-01-01',
];
const BAD_DATETIMES = ['2026-02-29', '2026-11-21T24:00:00Z', '26-1-1', '', '2026-11-21T12:00:00'];
const DURATIONS = ['0ms', '1d', '-1d', '24h', '1d2h3m4s5ms', '3600s', '106751991167d'];
const BAD_DURATIONS = ['', '-', '1', '1h1d', '1.5h', '106751991168d', '1 d'];
const UIDS: readonly TypeAndId[] = [
  { type: 'T::User', id: 'a' },
  { type: 'T::User', id: 'b' },
  { type: 'T::Team', id: 'a' },
  { type: 'T::Team', id: 'top' },
  { type: 'T::Offer', id: 'a' },
  { type: 'T::Offer', id: 'b' },
  { type: 'T::Host', id: 'a' },
  { type: 'T::Host', id: 'top' },
  { type: 'T::Host', id: 'nobody' },
];
export const ACTION: TypeAndId = { type: 'T::Action', id: 'send' };

const BRANCHES = ['if', 'then', 'else'] as const;

/** Of every so many expressions one has a type other than wanted. */
const WRONG_TYPE = 0.03;

function expression(dice: Dice, wanted: Type, depth: number): Expr {
  const type = dice.chance(WRONG_TYPE) ? dice.pick(TYPES) : wanted;
  if (depth <= 0 || dice.chance(0.15)) return leaf(dice, type);
  const sub = (t: Type): Expr => expression(dice, t, depth - 1);
  const both = (name: string, t: Type): Expr => ({ [name]: { left: sub(t), right: sub(t) } });
  if (dice.chance(0.06)) {
    const branches = BRANCHES.map((name) => [name, sub(name === 'if' ? 'bool' : type)]);
    return { 'if-then-else': Object.fromEntries(branches) };
  }
  switch (type) {
    case 'bool':
      return truth(dice, depth);
    case 'long':
      if (dice.chance(0.2)) return { neg: { arg: sub('long') } };
      if (dice.chance(0.2)) {
        const units = ['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'];
        return { [dice.pick(units)]: [sub('duration')] };
      }
      return both(dice.pick(['+', '-', '*']), 'long');
    case 'datetime':
      if (dice.chance(0.3)) return { toDate: [sub('datetime')] };
      return { offset: [sub('datetime'), sub('duration')] };
    case 'duration':
      if (dice.chance(0.3)) return { toTime: [sub('datetime')] };
      return { durationSince: [sub('datetime'), sub('datetime')] };
    case 'set': {
      const of = dice.chance(0.2) ? dice.pick(TYPES) : 'string';
      return { Set: dice.times(3, () => sub(of)) };
    }
    case 'record':
      return { Record: { s1: sub('string'), ...(dice.chance(0.5) && { l1: sub('long') }) } };
    default:
      return access(dice, type);
  }
}

function truth(dice: Dice, depth: number): Expr {
  const sub = (t: Type): Expr => expression(dice, t, depth - 1);
  const both = (name: string, a: Type, b: Type = a): Expr => ({
    [name]: { left: sub(a), right: sub(b) },
  });
  const type = dice.pick(TYPES);
  switch (dice.below(12)) {
    case 0:
    case 1:
    case 2:
      return both('&&', 'bool');
    case 3:
      return both('||', 'bool');
    case 4:
      return { '!': { arg: sub('bool') } };
    case 5:
      return both(dice.pick(['==', '!=']), type, dice.chance(0.9) ? type : dice.pick(TYPES));
    case 6:
      return both(
        dice.pick(['<', '<=', '>', '>=']),
        dice.pick(['long', 'long', 'datetime', 'duration'] as const),
      );
    case 7:
      if (dice.chance(0.3)) return { isEmpty: { arg: sub('set') } };
      return dice.chance(0.5)
        ? both('contains', 'set', 'string')
        : both(dice.pick(['containsAll', 'containsAny']), 'set');
    case 8: {
      const set = { Set: dice.times(3, () => sub('entity')) };
      return { in: { left: sub('entity'), right: dice.chance(0.4) ? set : sub('entity') } };
    }
    case 9: {
      const pattern = dice.times(4, () =>
        dice.chance(0.5) ? 'Wildcard' : { Literal: dice.pick(['a', 'b', '*', '😀']) },
      );
      return { like: { left: sub('string'), pattern } };
    }
    case 10: {
      const parent = dice.chance(0.4) && { in: sub('entity') };
      return { is: { left: sub('entity'), entity_type: dice.pick(UIDS).type, ...parent } };
    }
    default:
      return guarded(dice, depth);
  }
}

/** `x has a`, alone or as the guard it is used as. */
function guarded(dice: Dice, depth: number): Expr {
  const left = { Var: dice.pick(['resource', 'principal', 'context']) };
  const attr = dice.pick(ATTRIBUTES.bool);
  const has = { has: { left, attr } };
  if (dice.chance(0.15)) return { has: { left, attr: [dice.pick(ATTRIBUTES.record), 's1'] } };
  if (dice.chance(0.2)) return { has: { left: expression(dice, 'record', depth - 1), attr: 's1' } };
  return dice.chance(0.5) ? has : { '&&': { left: has, right: { '.': { left, attr } } } };
}

function leaf(dice: Dice, type: Type): Expr {
  if (dice.chance(0.4)) return access(dice, type);
  const literal = {
    bool: () => dice.chance(0.5),
    long: () => dice.pick(LONGS),
    string: () => dice.pick(STRINGS),
    entity: () => ({ __entity: dice.pick(UIDS) }),
  };
  switch (type) {
    case 'set':
      return { Set: dice.times(3, () => ({ Value: dice.pick(STRINGS) })) };
    case 'record':
      return { Record: dice.chance(0.5) ? { s1: { Value: dice.pick(STRINGS) } } : {} };
    case 'datetime':
      return { datetime: [{ Value: dice.pick(dice.chance(0.95) ? DATETIMES : BAD_DATETIMES) }] };
    case 'duration':
      return { duration: [{ Value: dice.pick(dice.chance(0.95) ? DURATIONS : BAD_DURATIONS) }] };
    default:
      return { Value: literal[type]() };
  }
}

function access(dice: Dice, type: Type): Expr {
  if (type === 'entity' && dice.chance(0.6)) return { Var: dice.pick(['principal', 'resource']) };
  if (type === 'record' && dice.chance(0.2)) return { Var: 'context' };
  const owner = { Var: dice.pick(['resource', 'resource', 'principal', 'context']) };
  const further = dice.chance(0.15);
  const left = further ? { '.': { left: owner, attr: dice.pick(ATTRIBUTES.entity) } } : owner;
  return { '.': { left, attr: dice.pick(ATTRIBUTES[type]) } };
}

export function randomPolicy(dice: Dice): PolicyJson {
  const scope = (): object => {
    const entity = dice.pick(UIDS);
    const entity_type = dice.pick(UIDS).type;
    if (dice.chance(0.6)) return { op: 'All' };
    if (dice.chance(0.4)) return { op: dice.pick(['==', 'in']), entity };
    return { op: 'is', entity_type, ...(dice.chance(0.4) && { in: { entity } }) };
  };
  const action = dice.chance(0.95) ? ACTION : { ...ACTION, id: 'other' };
  return {
    effect: dice.chance(0.4) ? 'permit' : 'forbid',
    principal: scope(),
    action: dice.chance(0.5) ? { op: 'All' } : { op: '==', entity: action },
    resource: scope(),
    conditions: dice.times(2, () => ({
      kind: dice.pick(['when', 'unless']),
      body: expression(dice, 'bool', 4),
    })),
  } as PolicyJson;
}

/** Attributes mostly there and of the type their name says. */
function attributes(dice: Dice): Record<string, CedarValueJson> {
  const found: Record<string, CedarValueJson> = {};
  for (const type of TYPES) {
    for (const name of ATTRIBUTES[type]) {
      if (dice.chance(0.7)) found[name] = value(dice, dice.chance(0.98) ? type : dice.pick(TYPES));
    }
  }
  return found;
}

function value(dice: Dice, type: Type): CedarValueJson {
  switch (type) {
    case 'bool':
      return dice.chance(0.5);
    case 'long':
      return dice.pick(LONGS);
    case 'string':
      return dice.pick(STRINGS);
    case 'set':
      return dice.times(3, () => dice.pick(STRINGS));
    case 'entity':
      return { __entity: dice.pick(UIDS) };
    case 'record':
      return { ...(dice.chance(0.7) && { s1: dice.pick(STRINGS) }) };
    default:
      return {
        __extn: { fn: type, arg: dice.pick(type === 'datetime' ? DATETIMES : DURATIONS) },
      };
  }
}

export interface RandomRequest {
  readonly principal: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Record<string, CedarValueJson>;
  /** Of the principal's side, and of the resource's. */
  readonly asker: EntityJson[];
  readonly asked: EntityJson[];
}

export function randomRequest(dice: Dice): RandomRequest {
  const side = (types: readonly [string, string]): EntityJson[] => {
    const [low, high] = types;
    const top = { type: high, id: 'top' };
    const middle = { type: high, id: 'a' };
    return [
      {
        uid: { type: low, id: 'a' },
        attrs: attributes(dice),
        parents: dice.chance(0.7) ? [middle] : [],
      },
      {
        uid: middle,
        attrs: dice.chance(0.15) ? attributes(dice) : {},
        parents: dice.chance(0.6) ? [top] : [],
      },
    ];
  };
  const asker = side(['T::User', 'T::Team']);
  const asked = side(['T::Offer', 'T::Host']);
  return {
    principal: { type: 'T::User', id: dice.chance(0.95) ? 'a' : 'b' },
    resource: { type: 'T::Offer', id: dice.chance(0.95) ? 'a' : 'b' },
    context: attributes(dice),
    asker,
    asked,
  };
}

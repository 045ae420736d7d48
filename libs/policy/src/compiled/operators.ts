// Cedar's strict operators: all operands are there before any of these is asked. A wrong type is a fault.
import { add, multiply, subtract } from './longs.js';
import { CedarSet, EntityUid, FAULT, same, TimeValue } from './values.js';
import type { Long, Value } from './values.js';

export function bool(value: Value): boolean {
  if (typeof value !== 'boolean') throw FAULT;
  return value;
}

function int(value: Value): Long {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw FAULT;
  return value;
}

function members(value: Value): CedarSet {
  if (!(value instanceof CedarSet)) throw FAULT;
  return value;
}

export function entity(value: Value): EntityUid {
  if (!(value instanceof EntityUid)) throw FAULT;
  return value;
}

/** Integers have an order, and so have times of one kind. */
function before(a: Value, b: Value): boolean {
  if (a instanceof TimeValue && b instanceof TimeValue && a.kind === b.kind) return a.ms < b.ms;
  return int(a) < int(b);
}

export const OF_ONE: Readonly<Record<string, (v: Value) => Value>> = {
  '!': (v) => !bool(v),
  neg: (v) => subtract(0, int(v)),
  isEmpty: (v) => members(v).size === 0,
};

export const OF_TWO: Readonly<Record<string, (a: Value, b: Value) => Value>> = {
  '==': same,
  '!=': (a, b) => !same(a, b),
  '<': before,
  '<=': (a, b) => !before(b, a),
  '>': (a, b) => before(b, a),
  '>=': (a, b) => !before(a, b),
  '+': (a, b) => add(int(a), int(b)),
  '-': (a, b) => subtract(int(a), int(b)),
  '*': (a, b) => multiply(int(a), int(b)),
  contains: (a, b) => members(a).has(b),
  containsAll: (a, b) => members(a).hasAll(members(b)),
  containsAny: (a, b) => members(a).hasAny(members(b)),
};

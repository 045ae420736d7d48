// Cedar's values as the compiled evaluator holds them, and when two of them are the same.

/**
 * A signed 64-bit integer: a number while it is a safe one, a bigint beyond. Never both for one value, so
 * `===` and `<` are exact without a conversion.
 */
export type Long = number | bigint;

export type CedarRecord = ReadonlyMap<string, Value>;
export type Value = boolean | Long | string | EntityUid | CedarSet | CedarRecord | TimeValue;

/** What Cedar calls an evaluation error: wrong type, missing attribute, overflow. The policy is reported. */
export class EvaluationFault extends Error {
  override readonly name = 'EvaluationFault';
}

/** Thrown as it is: a stack per faulty policy and endpoint would cost more than the evaluation. */
export const FAULT = new EvaluationFault('a policy could not be evaluated');

export class EntityUid {
  /** A type has no space in it, so this is unambiguous. */
  readonly key: string;

  constructor(
    readonly type: string,
    id: string,
  ) {
    this.key = `${type} ${id}`;
  }
}

/** A `datetime` (ms since 1970) or a `duration` (ms). */
export class TimeValue {
  constructor(
    readonly kind: 'datetime' | 'duration',
    readonly ms: Long,
  ) {}
}

/** Stands for "not a set of entities", whose own keys may be none. */
const NONE: readonly string[] = [];

/** A set. Primitive members are found by themselves, others by their canonical text. */
export class CedarSet implements Iterable<Value> {
  readonly #primitives = new Set<boolean | Long | string>();
  readonly #compounds = new Map<string, Value>();
  #entityKeys: readonly string[] | undefined;

  constructor(members: Iterable<Value>) {
    for (const member of members) {
      if (typeof member === 'object') this.#compounds.set(textOf(member), member);
      else this.#primitives.add(member);
    }
  }

  get size(): number {
    return this.#primitives.size + this.#compounds.size;
  }

  has(value: Value): boolean {
    if (typeof value !== 'object') return this.#primitives.has(value);
    return this.#compounds.size > 0 && this.#compounds.has(textOf(value));
  }

  hasAll(other: CedarSet): boolean {
    if (other.size > this.size) return false;
    for (const member of other.#primitives) if (!this.#primitives.has(member)) return false;
    for (const text of other.#compounds.keys()) if (!this.#compounds.has(text)) return false;
    return true;
  }

  hasAny(other: CedarSet): boolean {
    if (other.size > this.size) return other.hasAny(this);
    for (const member of other.#primitives) if (this.#primitives.has(member)) return true;
    for (const text of other.#compounds.keys()) if (this.#compounds.has(text)) return true;
    return false;
  }

  /** Keys of the members, or undefined where one is no entity. */
  get entityKeys(): readonly string[] | undefined {
    this.#entityKeys ??= this.#readEntityKeys();
    return this.#entityKeys === NONE ? undefined : this.#entityKeys;
  }

  #readEntityKeys(): readonly string[] {
    const keys = [...this.#compounds.values()].flatMap((m) =>
      m instanceof EntityUid ? [m.key] : [],
    );
    return keys.length === this.size ? keys : NONE;
  }

  *[Symbol.iterator](): Iterator<Value> {
    yield* this.#primitives;
    yield* this.#compounds.values();
  }
}

export const isRecord = (v: Value): v is CedarRecord => v instanceof Map;

/** Values of different types are different, never a fault. */
export function same(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (a instanceof EntityUid) return b instanceof EntityUid && a.key === b.key;
  if (a instanceof TimeValue) return b instanceof TimeValue && a.kind === b.kind && a.ms === b.ms;
  if (a instanceof CedarSet) return b instanceof CedarSet && a.size === b.size && a.hasAll(b);
  if (!isRecord(a) || !isRecord(b) || a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || !same(value, other)) return false;
  }
  return true;
}

/** Equal texts exactly where values are the same. Lengths before texts, so that none can pose as another. */
function textOf(value: Value): string {
  if (typeof value === 'string') return counted('s', value);
  if (typeof value !== 'object') return `${typeof value === 'boolean' ? 'b' : 'l'}${value};`;
  if (value instanceof EntityUid) return counted('e', value.key);
  if (value instanceof TimeValue) return `${value.kind}${value.ms};`;
  if (value instanceof CedarSet) return counted('S', [...value].map(textOf).toSorted().join(''));
  if (!isRecord(value)) throw FAULT;
  const fields = [...value].map(([name, field]) => counted('f', name) + textOf(field));
  return counted('R', fields.toSorted().join(''));
}

const counted = (tag: string, text: string): string => `${tag}${text.length}:${text}`;

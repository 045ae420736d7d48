// What an evaluation looks at: who asks for what, and the entities by their uid.
import type { CedarValueJson, EntityJson, TypeAndId } from '../cedar.js';
import { datetime, duration } from './time.js';
import { CedarSet, EntityUid, EvaluationFault, FAULT } from './values.js';
import type { CedarRecord, Value } from './values.js';

export interface Entity {
  readonly attributes: CedarRecord;
  /** Keys of all that it is in, itself not counted. */
  readonly ancestors: ReadonlySet<string>;
}

/** Entities by `EntityUid.key`. Built once for a set of facts, read by every decision about them. */
export type EntityStore = ReadonlyMap<string, Entity>;

export interface Scene {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  /** Absent while a request is bound to the policies before any endpoint is looked at. */
  readonly resource: EntityUid | undefined;
  /** Absent where only the asker is known. */
  readonly context: CedarRecord | undefined;
  /** The principal's entities. They are looked at first. */
  readonly asker: EntityStore;
  /** The resource's entities; absent as `resource` is. */
  readonly asked: EntityStore | undefined;
}

class NotYetKnown extends Error {
  override readonly name = 'NotYetKnown';
}

/** Thrown where a scene lacks what an expression reads: the answer waits until it is there. */
export const NOT_YET = new NotYetKnown('depends on what is not bound yet');

export const entityOf = (scene: Scene, uid: EntityUid): Entity | undefined => {
  const entity = scene.asker.get(uid.key);
  if (entity !== undefined) return entity;
  if (scene.asked === undefined) throw NOT_YET;
  return scene.asked.get(uid.key);
};

export const uidOf = ({ type, id }: TypeAndId): EntityUid => new EntityUid(type, id);

/**
 * The store of these entities. What an entity is in is followed through `further` entities too.
 * Throws FAULT where a value is none that the compiled evaluator holds.
 */
export function storeOf(entities: readonly EntityJson[], further?: EntityStore): EntityStore {
  const parents = new Map<string, readonly string[]>();
  for (const { uid, parents: up } of entities) {
    parents.set(keyOf(uid), up.map(keyOf));
  }
  const ancestors = (key: string, found: Set<string>): Set<string> => {
    for (const parent of parents.get(key) ?? further?.get(key)?.ancestors ?? []) {
      if (found.has(parent)) continue;
      found.add(parent);
      ancestors(parent, found);
    }
    return found;
  };
  const store = new Map<string, Entity>();
  for (const { uid, attrs } of entities) {
    const key = keyOf(uid);
    store.set(key, { attributes: recordOf(attrs), ancestors: ancestors(key, new Set()) });
  }
  return store;
}

const keyOf = (uid: EntityJson['uid']): string => uidOf('__entity' in uid ? uid.__entity : uid).key;

/** Throws FAULT as `storeOf` does. */
export function recordOf(fields: Readonly<Record<string, CedarValueJson>>): CedarRecord {
  return new Map(Object.entries(fields).map(([name, field]) => [name, valueOf(field)]));
}

/** A value of Cedar's JSON form, the same in policies, entities and contexts. Throws FAULT for others. */
export function valueOf(json: CedarValueJson): Value {
  switch (typeof json) {
    case 'boolean':
    case 'string':
      return json;
    case 'number':
      // Beyond this JSON numbers have already lost digits.
      if (!Number.isSafeInteger(json)) throw FAULT;
      return json === 0 ? 0 : json;
    case 'object':
      break;
    default:
      throw FAULT;
  }
  if (json === null) throw FAULT;
  if (isList(json)) return new CedarSet(json.map(valueOf));
  if (isEntity(json)) return uidOf(json.__entity);
  if (isExtension(json)) return timeOf(json.__extn);
  if ('__expr' in json) throw FAULT;
  return recordOf(json);
}

type Json = Exclude<CedarValueJson, boolean | number | string | null>;
type ExtensionJson = Extract<CedarValueJson, { __extn: unknown }>;

const isList = (json: Json): json is CedarValueJson[] => Array.isArray(json);
const isEntity = (json: Exclude<Json, CedarValueJson[]>): json is { __entity: TypeAndId } =>
  '__entity' in json;
const isExtension = (json: object): json is ExtensionJson => '__extn' in json;

function timeOf(call: ExtensionJson['__extn']): Value {
  if (!('arg' in call) || typeof call.arg !== 'string') throw FAULT;
  if (call.fn === 'datetime') return datetime(call.arg);
  if (call.fn === 'duration') return duration(call.arg);
  throw FAULT;
}

export const isFault = (error: unknown): error is EvaluationFault =>
  error instanceof EvaluationFault;

/**
 * Checks made once, at load, and run per event without allocating: each answers undefined where the value fits,
 * else the path and what was expected. Members that a later version adds are let pass: schemas grow, and a
 * reader of ours must not quarantine what a newer writer said.
 */
export type Check = (value: unknown) => string | undefined;

const is =
  (expected: string, holds: (value: unknown) => boolean): Check =>
  (value) =>
    holds(value) ? undefined : `: not ${expected}`;

/** Ids, names, codes: short, never free text. The ceiling keeps content from being carried in one. */
const NAME_CHARACTERS_MAX = 512;
/** No text of a database can hold it: a record of ours that has one in a column's value could never be folded. */
const NUL = '\0';
/** Years from 1 on, as databases count them. */
const RFC3339_MS = /^(?!0000)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const PICO_USD = /^(0|[1-9]\d{0,30})$/;
const DIGEST = /^[a-z0-9-]{1,32}:[A-Za-z0-9+/=_-]{1,128}$/;

export const name = is(
  'a name',
  (v) =>
    typeof v === 'string' && v.length > 0 && v.length <= NAME_CHARACTERS_MAX && !v.includes(NUL),
);
/** As a name, but may be empty where there is nothing to say. */
export const label = is(
  'a label',
  (v) => typeof v === 'string' && v.length <= NAME_CHARACTERS_MAX && !v.includes(NUL),
);
/** A label in the words of a client or a provider: no record of ours is set aside for what they put into it. */
export const foreign = is(
  'a label',
  (v) => typeof v === 'string' && v.length <= NAME_CHARACTERS_MAX,
);
/** A sentence of ours (a policy's reason, a change): may be empty. */
export const text = is(
  'text',
  (v) => typeof v === 'string' && v.length <= 4_096 && !v.includes(NUL),
);
export const flag = is('a boolean', (v) => typeof v === 'boolean');
export const finite = is('a number', (v) => typeof v === 'number' && Number.isFinite(v));
export const count = is('a count', (v) => Number.isSafeInteger(v) && (v as number) >= 0);
export const ordinal = is('counted from 1', (v) => Number.isSafeInteger(v) && (v as number) >= 1);
export const time = is(
  'a time',
  (v) => typeof v === 'string' && v.length === 24 && RFC3339_MS.test(v) && isOnCalendar(v),
);
/** JavaScript reads the 30th of February as the 2nd of March; others do not read it at all. */
function isOnCalendar(v: string): boolean {
  const ms = Date.parse(v);
  return !Number.isNaN(ms) && (v.slice(8, 10) < '29' || new Date(ms).toISOString() === v);
}
const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;
/** A month of the UTC calendar: `2026-11`. */
export const month = is('a month', (v) => typeof v === 'string' && MONTH.test(v));
/** A place in a partition, as a decimal string: below 2^63. */
export const offset = is('an offset', (v) => typeof v === 'string' && /^\d{1,18}$/.test(v));
/** Non-negative integer pico-USD as a decimal string. */
export const picoUsd = is(
  'an amount in pico-USD',
  (v) => typeof v === 'string' && PICO_USD.test(v),
);
/** The same for a difference, which may be negative. */
export const signedPicoUsd = is(
  'a difference in pico-USD',
  (v) => typeof v === 'string' && PICO_USD.test(v.startsWith('-') ? v.slice(1) : v),
);
/** `<algorithm>:<value>`. */
export const digest = is('a digest', (v) => typeof v === 'string' && DIGEST.test(v));

export const oneOf = (...values: readonly string[]): Check => {
  const known: ReadonlySet<unknown> = new Set(values);
  return is(`one of ${values.join(', ')}`, (v) => known.has(v));
};

export const list =
  (of: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return ': not a list';
    for (let i = 0; i < value.length; i++) {
      const fault = of(value[i]);
      if (fault !== undefined) return `[${i}]${fault}`;
    }
    return undefined;
  };

/** A list of objects of which no two have the same value in this member. */
export const distinct =
  (member: string, all: Check): Check =>
  (value) => {
    const fault = all(value);
    if (fault !== undefined) return fault;
    const items = value as readonly Readonly<Record<string, unknown>>[];
    for (let i = 1; i < items.length; i++)
      for (let j = 0; j < i; j++)
        if (items[i]![member] === items[j]![member]) return `[${i}].${member}: there twice`;
    return undefined;
  };

const isRecord = (v: unknown): v is Record<string, unknown> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);

/** Any members, each as `of` says. */
export const map =
  (of: Check): Check =>
  (value) => {
    if (!isRecord(value)) return ': not an object';
    for (const key in value) {
      const fault = of(value[key]);
      // Not the key itself: it is the writer's, not ours.
      if (fault !== undefined) return `.*${fault}`;
    }
    return undefined;
  };

export const anything: Check = () => undefined;
/** As an optional member: it must not be there. */
export const absent = is('absent', (v) => v === undefined);

export const either =
  (...checks: readonly Check[]): Check =>
  (value) => {
    let fault: string | undefined;
    for (const check of checks) {
      fault = check(value);
      if (fault === undefined) return undefined;
    }
    return fault;
  };

export function object(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  const must = Object.entries(required);
  const may = Object.entries(optional);
  return (value) => {
    if (!isRecord(value)) return ': not an object';
    for (let i = 0; i < must.length; i++) {
      const [key, check] = must[i]!;
      const fault = check(value[key]);
      if (fault !== undefined) return `.${key}${fault}`;
    }
    for (let i = 0; i < may.length; i++) {
      const [key, check] = may[i]!;
      const member = value[key];
      if (member === undefined) continue;
      const fault = check(member);
      if (fault !== undefined) return `.${key}${fault}`;
    }
    return undefined;
  };
}

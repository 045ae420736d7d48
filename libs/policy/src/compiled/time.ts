// Cedar's `datetime` and `duration`: their texts and their methods.
import { add, divide, floorTo, long, remainder, subtract } from './longs.js';
import { FAULT, TimeValue } from './values.js';
import type { Long, Value } from './values.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const DATETIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{3}))?(?:Z|([+-])(\d{2})(\d{2})))?$/;
const DURATION = /^(-?)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Throws FAULT where the text is no date of Cedar's. */
export function datetime(text: string): TimeValue {
  const match = DATETIME.exec(text);
  if (!match) throw FAULT;
  const part = (at: number): number => Number(match[at] ?? 0);
  const [year, month, day, hour, minute] = [part(1), part(2), part(3), part(4), part(5)];
  const second = part(6);
  const offsetHours = part(9);
  const offsetMinutes = part(10);
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59) {
    throw FAULT;
  }
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // 31 April becomes 1 May here, and is no date there.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) throw FAULT;
  const east = (match[8] === '-' ? -1 : 1) * (offsetHours * HOUR_MS + offsetMinutes * MINUTE_MS);
  const within = hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + part(7);
  return new TimeValue('datetime', date.getTime() + within - east);
}

/** Throws FAULT where the text is no duration of Cedar's. */
export function duration(text: string): TimeValue {
  const match = DURATION.exec(text);
  if (!match || text === '' || text === '-') throw FAULT;
  const units = [DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, 1];
  let total = 0n;
  for (const [at, unit] of units.entries()) total += BigInt(match[at + 2] ?? 0) * BigInt(unit);
  return new TimeValue('duration', long(match[1] === '-' ? -total : total));
}

export function time(value: Value, kind: TimeValue['kind']): Long {
  if (!(value instanceof TimeValue) || value.kind !== kind) throw FAULT;
  return value.ms;
}

const toUnit =
  (unitMs: number) =>
  (of: Value): Value =>
    divide(time(of, 'duration'), unitMs);

/** Functions and methods of one argument (the receiver counts as one). */
export const UNARY: Readonly<Record<string, (of: Value) => Value>> = {
  datetime: (of) => (typeof of === 'string' ? datetime(of) : fault()),
  duration: (of) => (typeof of === 'string' ? duration(of) : fault()),
  toDate: (of) => new TimeValue('datetime', floorTo(time(of, 'datetime'), DAY_MS)),
  toTime: (of) => new TimeValue('duration', remainder(time(of, 'datetime'), DAY_MS)),
  toMilliseconds: toUnit(1),
  toSeconds: toUnit(SECOND_MS),
  toMinutes: toUnit(MINUTE_MS),
  toHours: toUnit(HOUR_MS),
  toDays: toUnit(DAY_MS),
};

/** Methods of a receiver and one argument. */
export const BINARY: Readonly<Record<string, (of: Value, by: Value) => Value>> = {
  offset: (of, by) => new TimeValue('datetime', add(time(of, 'datetime'), time(by, 'duration'))),
  durationSince: (of, by) =>
    new TimeValue('duration', subtract(time(of, 'datetime'), time(by, 'datetime'))),
};

function fault(): never {
  throw FAULT;
}

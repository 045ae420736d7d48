import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { LIMIT_RESETS, periodAt, periodIdsAt, resetOfPeriod } from './index.js';

const ms = (text: string): number => Date.parse(text);

describe('periods of a limit', () => {
  it.each([
    // Years whose first days belong to a week of the year before, or last days to the next (ISO 8601).
    ['2021-01-03T23:59:59.999Z', '2020-W53'],
    ['2021-01-04T00:00:00.000Z', '2021-W01'],
    ['2024-12-29T23:59:59.999Z', '2024-W52'],
    ['2024-12-30T00:00:00.000Z', '2025-W01'],
    ['2026-11-22T23:59:59.999Z', '2026-W47'],
    ['2026-11-23T00:00:00.000Z', '2026-W48'],
    ['2026-12-31T12:00:00.000Z', '2026-W53'],
    ['1969-12-31T12:00:00.000Z', '1970-W01'],
  ])('%s lies in week %s', (at, week) => {
    expect(periodAt('weekly', ms(at)).id).toBe(week);
  });

  it('a month ends where the next begins, in leap years too', () => {
    expect(periodAt('monthly', ms('2028-02-29T23:59:59.999Z'))).toEqual({
      id: '2028-02',
      startsAtMs: ms('2028-02-01T00:00:00.000Z'),
      endsAtMs: ms('2028-03-01T00:00:00.000Z'),
    });
    expect(periodAt('monthly', ms('2026-12-31T23:59:59.999Z')).endsAtMs).toBe(
      ms('2027-01-01T00:00:00.000Z'),
    );
  });

  it('a lifetime has no end', () => {
    expect(periodAt(null, 0)).toMatchObject({ id: 'lifetime', endsAtMs: Infinity });
  });

  it('property: periods tile the time line, and the id says the kind', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...LIMIT_RESETS),
        fc.integer({ min: -1_000_000_000_000, max: 5_000_000_000_000 }),
        (reset, at) => {
          const period = periodAt(reset, at);
          expect(period.startsAtMs <= at && at < period.endsAtMs).toBe(true);
          expect(resetOfPeriod(period.id)).toBe(reset);
          expect(periodIdsAt(at)[reset]).toBe(period.id);
          expect(periodAt(reset, period.startsAtMs)).toEqual(period);
          expect(periodAt(reset, period.endsAtMs - 1)).toEqual(period);
          const next = periodAt(reset, period.endsAtMs);
          expect(next.startsAtMs).toBe(period.endsAtMs);
          expect(next.id).not.toBe(period.id);
        },
      ),
    );
  });

  it('what is no period is told', () => {
    expect(resetOfPeriod('')).toBeUndefined();
    expect(resetOfPeriod('2026')).toBeUndefined();
  });
});

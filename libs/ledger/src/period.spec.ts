import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { graceEndsMs, monthAfter, openFrom, postingPeriod, type ClosedPeriod } from './period.js';

const closed = (period: string, next: bigint): ClosedPeriod => ({
  period,
  logId: 'log-1',
  through: [{ topic: 'custos.audit.v1', partition: 0, next: next.toString() }],
});
const place = (offset: bigint, logId = 'log-1') => ({
  logId,
  topic: 'custos.audit.v1',
  partition: 0,
  offset,
});
const periodOf = (
  effectiveAt: string,
  saidAt: string,
  months: readonly ClosedPeriod[] = [],
  at?: ReturnType<typeof place>,
) => postingPeriod(effectiveAt, openFrom(saidAt, months, at));

describe('the month that something is posted into', () => {
  it('is its own while the grace time lasts, and then the first that is still open', () => {
    const november = '2026-11-30T23:59:59.999Z';
    expect(periodOf(november, november)).toBe('2026-11');
    expect(periodOf(november, '2026-12-03T23:59:59.999Z')).toBe('2026-11');
    expect(periodOf(november, '2026-12-04T00:00:00.000Z')).toBe('2026-12');
    expect(periodOf(november, '2027-02-20T00:00:00.000Z')).toBe('2027-02');
    expect(graceEndsMs('2026-11')).toBe(Date.parse('2026-12-04T00:00:00.000Z'));
  });

  it('is not one that was closed before the record was read', () => {
    const said = '2026-11-30T10:00:00.000Z';
    expect(periodOf(said, said, [closed('2026-11', 5n)])).toBe('2026-12');
    expect(periodOf(said, said, [closed('2026-11', 5n), closed('2026-12', 9n)])).toBe('2027-01');
    expect(periodOf(said, said, [closed('2026-10', 5n)])).toBe('2026-11');
  });

  it('is its own, in any order of reading, where the closing record names it as in time', () => {
    const said = '2026-11-30T10:00:00.000Z';
    const months = [closed('2026-11', 5n), closed('2026-12', 9n)];
    expect(periodOf(said, said, months, place(4n))).toBe('2026-11');
    expect(periodOf(said, said, months, place(5n))).toBe('2026-12');
    expect(periodOf(said, said, months, place(9n))).toBe('2027-01');
    expect(periodOf(said, said, months, place(4n, 'another log'))).toBe('2027-01');
    const other = { ...place(4n), partition: 1 };
    expect(periodOf(said, said, months, other)).toBe('2027-01');
  });

  it('never lies before what it accounts for, and moves only forward as records come later', () => {
    const time = fc.date({
      min: new Date('2026-01-01'),
      max: new Date('2028-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(time, time, fc.nat(40 * 86_400_000), (effective, said, laterMs) => {
        const at = effective.toISOString();
        const period = periodOf(at, said.toISOString());
        const later = periodOf(at, new Date(said.getTime() + laterMs).toISOString());
        expect(period >= at.slice(0, 7)).toBe(true);
        expect(later >= period).toBe(true);
      }),
    );
  });

  it('counts months over the year', () => {
    expect(['2026-01', '2026-11', '2026-12'].map(monthAfter)).toEqual([
      '2026-02',
      '2026-12',
      '2027-01',
    ]);
  });
});

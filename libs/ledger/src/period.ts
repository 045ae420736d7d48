import type { PeriodClosed } from '#libs/audit-events';

/**
 * How long after its end a month takes records that say when they happened, by their own clock: long enough for an
 * outage over a weekend, short enough for an invoice in the first days of the next month.
 */
export const PERIOD_GRACE_MS = 72 * 60 * 60 * 1000;

/** A closed month and what was in time for it. */
export type ClosedPeriod = Pick<PeriodClosed, 'period' | 'logId' | 'through'>;

/** Where a record stands in its log. */
export interface LogPlace {
  readonly logId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** The month of a time (RFC 3339 UTC): `2026-11`. */
export const monthOf = (time: string): string => time.slice(0, 7);

export function monthAfter(month: string): string {
  const [year, number] = month.split('-').map(Number);
  return new Date(Date.UTC(year ?? 0, number ?? 0)).toISOString().slice(0, 7);
}

/** Unix ms from which on a month's late records belong to the next one. */
export const graceEndsMs = (month: string): number =>
  Date.parse(`${monthAfter(month)}-01T00:00:00.000Z`) + PERIOD_GRACE_MS;

/**
 * The first month that a record may still post into: the first whose grace time was not over when it was said, and that
 * was not closed before it was read. What a closing record names as in time is so in any order of reading, and what
 * is named by none is late in the order of the leaves. Ascending `closed`; a reader in leaf order needs no `place`.
 */
export function openFrom(
  saidAt: string,
  closed: readonly ClosedPeriod[],
  place?: LogPlace,
): string {
  let month = monthOf(new Date(Date.parse(saidAt) - PERIOD_GRACE_MS).toISOString());
  for (const one of closed)
    if (one.period >= month && !inTime(one, place)) month = monthAfter(one.period);
  return month;
}

const inTime = ({ logId, through }: ClosedPeriod, place: LogPlace | undefined): boolean =>
  place?.logId === logId &&
  through.some(
    (t) =>
      t.topic === place.topic && t.partition === place.partition && place.offset < BigInt(t.next),
  );

/** What happened in a month is posted into it, or into the first that is still open for the record that says so. */
export function postingPeriod(effectiveAt: string, openFromMonth: string): string {
  const month = monthOf(effectiveAt);
  return month > openFromMonth ? month : openFromMonth;
}

/** How often a limit begins anew, in OpenRouter's words; null elsewhere = never. */
export const LIMIT_RESETS = ['daily', 'weekly', 'monthly'] as const;
export type LimitReset = (typeof LIMIT_RESETS)[number];

/** The one period of a limit that never begins anew. */
export const LIFETIME = 'lifetime';

/** A period of the UTC calendar. `id`: `2026-11-21` a day, `2026-W47` an ISO 8601 week, `2026-11` a month, or `lifetime`. */
export interface CalendarPeriod {
  readonly id: string;
  /** Unix ms, inclusive; -Infinity for the lifetime. */
  readonly startsAtMs: number;
  /** Unix ms, exclusive: the first moment of the next period; Infinity for the lifetime. */
  readonly endsAtMs: number;
}

/** Ids of the four periods that one moment belongs to. */
export interface PeriodIds {
  readonly lifetime: typeof LIFETIME;
  readonly daily: string;
  readonly weekly: string;
  readonly monthly: string;
}

const DAY_MS = 86_400_000;
const DAYS_PER_WEEK = 7;
/** 1 January 1970 was a Thursday: the Monday of its week is three days before. */
const EPOCH_DAYS_AFTER_MONDAY = 3;

/** The period of that kind that the moment (Unix ms) lies in. Weeks begin on Monday (ISO 8601); there is no leap second. */
export function periodAt(reset: LimitReset | null, unixMs: number): CalendarPeriod {
  const day = Math.floor(unixMs / DAY_MS);
  switch (reset) {
    case null:
      return { id: LIFETIME, startsAtMs: -Infinity, endsAtMs: Infinity };
    case 'daily':
      return { id: idsAt(day).daily, startsAtMs: day * DAY_MS, endsAtMs: (day + 1) * DAY_MS };
    case 'weekly': {
      const monday = mondayOf(day);
      return {
        id: idsAt(day).weekly,
        startsAtMs: monday * DAY_MS,
        endsAtMs: (monday + DAYS_PER_WEEK) * DAY_MS,
      };
    }
    case 'monthly': {
      const date = new Date(unixMs);
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
      return {
        id: idsAt(day).monthly,
        startsAtMs: Date.UTC(year, month),
        endsAtMs: Date.UTC(year, month + 1),
      };
    }
  }
}

/** All periods of a moment (Unix ms). */
export const periodIdsAt = (unixMs: number): PeriodIds => idsAt(Math.floor(unixMs / DAY_MS));

/** The kind of a period by its id; undefined for what is no period's id. */
export function resetOfPeriod(id: string): LimitReset | null | undefined {
  if (id === LIFETIME) return null;
  if (/^\d{4}-\d\d-\d\d$/.test(id)) return 'daily';
  if (/^\d{4}-W\d\d$/.test(id)) return 'weekly';
  return /^\d{4}-\d\d$/.test(id) ? 'monthly' : undefined;
}

let lastDay = NaN;
let lastIds: PeriodIds | undefined;

/** Neighbouring records lie in the same day: the last answer is kept. */
function idsAt(day: number): PeriodIds {
  if (day === lastDay && lastIds !== undefined) return lastIds;
  const daily = new Date(day * DAY_MS).toISOString().slice(0, 10);
  // A week belongs to the year of its Thursday, and its number counts that year's Thursdays.
  const thursday = new Date((mondayOf(day) + EPOCH_DAYS_AFTER_MONDAY) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0)) / DAY_MS / DAYS_PER_WEEK) + 1;
  lastIds = {
    lifetime: LIFETIME,
    daily,
    weekly: `${year}-W${String(week).padStart(2, '0')}`,
    monthly: daily.slice(0, 7),
  };
  lastDay = day;
  return lastIds;
}

const mondayOf = (day: number): number => {
  const since = (day + EPOCH_DAYS_AFTER_MONDAY) % DAYS_PER_WEEK;
  return day - (since < 0 ? since + DAYS_PER_WEEK : since);
};

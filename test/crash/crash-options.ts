// How long and which: a short campaign within `npm test`, a long one by `npm run test:crash`, any one again by its seed.
import { randomInt } from 'node:crypto';
import type { CampaignOptions } from './campaign.js';
import type { LogKind } from './house.js';

/** Kills within `npm test`, both logs together at least 40. */
const SHORT = { postgres: 24, kafka: 20 } as const satisfies Record<LogKind, number>;
const SHORT_CHECK_EVERY = 12;
/** A house lives for so many kills: the checks at its end read everything that it ever recorded. */
const KILLS_PER_HOUSE = 100;
const LONG_CHECK_EVERY = 25;
/** Of one kill with its restart, on a machine that is busy with other things. */
const KILL_MS_MAX = 20_000;
const HOUSE_MS_MAX = 360_000;

export interface CampaignSpec {
  readonly name: string;
  readonly options: CampaignOptions;
  readonly timeoutMs: number;
}

export interface Campaigns {
  readonly campaigns: readonly CampaignSpec[];
  /** Each kill is told as it comes. */
  readonly aloud: boolean;
}

/** CUSTOS_CRASH_KILLS: on this log; CUSTOS_CRASH_LOG: which log alone; CUSTOS_CRASH_SEED: of the first house. */
export function campaignsOf(log: LogKind): Campaigns {
  const { CUSTOS_CRASH_KILLS, CUSTOS_CRASH_SEED, CUSTOS_CRASH_LOG } = process.env;
  const seed = CUSTOS_CRASH_SEED === undefined ? randomInt(2 ** 31) : Number(CUSTOS_CRASH_SEED);
  if (!Number.isSafeInteger(seed)) throw new Error('CUSTOS_CRASH_SEED is not a whole number');
  if (CUSTOS_CRASH_LOG !== undefined && CUSTOS_CRASH_LOG !== log)
    return { campaigns: [], aloud: false };
  if (CUSTOS_CRASH_KILLS === undefined)
    return { campaigns: [campaign(log, seed, SHORT[log], SHORT_CHECK_EVERY)], aloud: false };
  const kills = Number(CUSTOS_CRASH_KILLS);
  const campaigns = Array.from({ length: Math.ceil(kills / KILLS_PER_HOUSE) }, (_, i) =>
    campaign(
      log,
      seed + i,
      Math.min(KILLS_PER_HOUSE, kills - i * KILLS_PER_HOUSE),
      LONG_CHECK_EVERY,
    ),
  );
  return { campaigns, aloud: true };
}

const campaign = (log: LogKind, seed: number, kills: number, checkEvery: number): CampaignSpec => ({
  name: `${kills} kills, seed ${seed}`,
  options: { log, seed, kills, checkEvery },
  timeoutMs: HOUSE_MS_MAX + kills * KILL_MS_MAX,
});

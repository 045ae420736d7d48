// One house, many deaths: kills one after another under load, checks at stated times, and at the end everything that the
// records alone must give again.
import { Books } from './books.js';
import { BudgetWatch } from './budget-watch.js';
import { Chance } from './chance.js';
import { Checks } from './checks.js';
import { House, type LogKind, type OwnEnd } from './house.js';
import { Dealer } from './kill-points.js';
import type { Meter } from './meter.js';
import { openLog } from './raw-log.js';
import type { Scene } from './strike.js';
import { killAmidSweep } from './sweep-kill.js';
import { Tally } from './tally.js';
import { Traffic } from './traffic.js';

/** Of each process, where a campaign does not end: for whoever must find out why. */
const TAIL_CHARS = 3_000;

export interface CampaignOptions {
  readonly log: LogKind;
  readonly seed: number;
  readonly kills: number;
  /** Kills after which the load pauses until all has settled, and everything is checked. */
  readonly checkEvery: number;
}

export interface CampaignReport {
  readonly tally: Tally;
  readonly meter: Meter;
  readonly records: number;
  readonly ownEnds: readonly OwnEnd[];
  /** Median time from launch to readiness, ms, by app. */
  readonly comebackMs: Readonly<Record<string, number>>;
}

/** `say` hears a line per kill and check. Rejects only where the house does not come back; faults are in the report. */
export async function runCampaign(
  options: CampaignOptions,
  say: (line: string) => void,
): Promise<CampaignReport> {
  const tally = new Tally(say);
  const chance = new Chance(options.seed);
  const house = await House.open(options.log);
  const log = options.log === 'kafka' ? await openLog(house) : undefined;
  const books = new Books(
    house.servers.postgres.urls.superuserUrl,
    log === undefined ? undefined : () => log.endOffsets(),
  );
  let traffic: Traffic | undefined;
  let watch: BudgetWatch | undefined;
  try {
    traffic = await Traffic.start(house, chance.branch('traffic'));
    watch = new BudgetWatch(books, traffic.limits);
    const scene: Scene = {
      house,
      traffic,
      chance: chance.branch('kills'),
      ingressPartition: () => partitionInUse(books),
      retiredIngresses: () => retiredIngresses(books),
    };
    const checks = new Checks(scene, books, watch, tally);
    const meter = await killAndCheck(options, scene, checks, tally);
    const records = await checks.atTheEnd('at the end');
    const { ownEnds } = house;
    tally.blame('of its own accord', ownEnds.filter(unasked).map(toldOf));
    return { tally, meter, records, ownEnds, comebackMs: medians(house.comebackMs) };
  } catch (error) {
    say(`does not go on: ${String(error)}`);
    for (const { name, process } of house.members.values())
      say(`${name} said last:\n${process.output.slice(-TAIL_CHARS)}`);
    throw error;
  } finally {
    await traffic?.pause();
    await watch?.stop();
    await log?.close();
    await books.close();
    await house.stop();
  }
}

async function killAndCheck(
  { kills, checkEvery }: CampaignOptions,
  scene: Scene,
  checks: Checks,
  tally: Tally,
): Promise<Meter> {
  const dealer = new Dealer(scene.house, scene.chance);
  for (let checkedAt = 0; ;) {
    await scene.traffic.flows();
    const point = await dealer.next();
    tally.struck(point.name, await point.strike(scene));
    await checks.atOnce(`after kill ${tally.kills}`);
    const enough = tally.kills >= kills;
    if (!enough && tally.kills - checkedAt < checkEvery) continue;
    await endLoad(scene, tally);
    const meter = await checks.settled(`settled after kill ${tally.kills}`);
    if (enough) return meter;
    checkedAt = tally.kills;
    scene.traffic.resume(scene.chance.branch(`load after ${checkedAt}`));
  }
}

/** A writer dies with the load, and the sweeping ledger amid its sweep; returns when everybody is back. */
async function endLoad({ house, traffic, chance }: Scene, tally: Tally): Promise<void> {
  await house.whole();
  await traffic.flows();
  const sweep = killAmidSweep(house, chance);
  try {
    const ingress = chance.pick(house.all('ingress'));
    await house.kill(ingress);
    tally.struck('ingress: as the load ends', { killed: [ingress.name], atMoment: true });
    await traffic.pause();
    tally.struck(sweep.point, await sweep.struck);
  } finally {
    sweep.cancel();
  }
  await house.whole();
}

/** Only an ingress that was taken for dead may end by itself: the harness starts all again, and must not hide another cause. */
const unasked = ({ name, lastWords }: OwnEnd): boolean =>
  !(name.startsWith('ingress') && lastWords.includes('writer_retired'));

const toldOf = ({ name, how, lastWords }: OwnEnd): string =>
  `${name} ended (${how}): ${lastWords.trim().split('\n').slice(-4).join(' | ')}`;

/** Of the ingress that was heard last. */
async function partitionInUse(books: Books): Promise<number> {
  const [row] = await books.rows<{ partition: number }>(`
    select s.partition from ledger.writer_high_water w join ledger.source_offset s on s.id = w.source_id
    where w.app = 'ingress' order by w.last_seen_at desc limit 1`);
  return row!.partition;
}

async function retiredIngresses(books: Books): Promise<number> {
  const [row] = await books
    .rows<{ n: number }>(
      `select count(*)::int as n from ledger.writer_high_water where app = 'ingress' and retired`,
    )
    .catch(() => []);
  return row?.n ?? 0;
}

function medians(
  times: readonly { readonly app: string; readonly ms: number }[],
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    [...Map.groupBy(times, ({ app }) => app)].map(([app, all]) => {
      const sorted = all.map(({ ms }) => ms).sort((a, b) => a - b);
      return [app, Math.round(sorted[Math.floor(sorted.length / 2)]!)];
    }),
  );
}

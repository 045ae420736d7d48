// 300 generations a second, every third of them a stream of 64 events over a third of a second: how long until each
// is posted, and what memory it takes.
import { watchResident } from './accounting.js';
import type { LoadGenerator } from './children.js';
import type { Gateway } from './gateway.js';
import { refuseErrors } from './measures.js';
import { percentilesOf, type Percentiles } from './statistics.js';

export const RATED_PER_SECOND = 300;
const STREAM_EVERY = 3;
const STREAM = { chunks: 64, intervalMs: 5 };
const WARM_UP_MS = 3_000;

interface Aim {
  readonly name: string;
  readonly url: string;
  readonly key?: string;
}

const job = ({ url, key }: Aim, durationMs: number) =>
  ({
    kind: 'open',
    url,
    ...(key === undefined ? {} : { key }),
    perSecond: RATED_PER_SECOND,
    durationMs,
    stream: STREAM,
    streamEvery: STREAM_EVERY,
  }) as const;

/** Highest resident memory of `pid` under that load, in MB, and the generations that ended. */
export async function underRatedLoad(
  load: LoadGenerator,
  aim: Aim,
  pid: number,
  durationMs: number,
): Promise<{ residentMb: number; ended: readonly (readonly [string, number])[] }> {
  refuseErrors(aim.name, await load.run(job(aim, WARM_UP_MS)));
  const memory = watchResident(pid);
  const result = await load.run(job(aim, durationMs));
  const residentMb = memory.stop();
  refuseErrors(aim.name, result);
  return { residentMb, ended: result.ended };
}

/** From the last byte at the client to the posted entry, ms. */
export async function billingLag(
  load: LoadGenerator,
  gateway: Gateway,
  durationMs: number,
): Promise<{ lagMs: Percentiles; generations: number; residentMb: number }> {
  const { target } = gateway;
  const { residentMb, ended } = await underRatedLoad(load, target, target.pid, durationMs);
  const posted = await gateway.postedAtMs(ended.map(([id]) => id));
  const lags = ended.map(([id, lastByteAtMs]) => posted.get(id)! - lastByteAtMs);
  return { lagMs: percentilesOf(lags), generations: ended.length, residentMb };
}

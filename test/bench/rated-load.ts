// So many generations a second, some of them streams of 64 events over a third of a second: how long until each is
// posted, and what memory it takes.
import { watchResident } from './accounting.js';
import type { LoadGenerator } from './children.js';
import type { Lag } from './figures.js';
import type { Gateway } from './gateway.js';
import { refuseErrors } from './measures.js';
import { percentilesOf } from './statistics.js';

export interface Rate {
  readonly perSecond: number;
  readonly streamEvery: number;
}

/** The usual load, and the one at which the ledger must still keep up (issue 4). */
export const USUAL: Rate = { perSecond: 300, streamEvery: 3 };
export const HIGH: Rate = { perSecond: 1_000, streamEvery: 10 };
const STREAM = { chunks: 64, intervalMs: 5 };
const WARM_UP_MS = 3_000;

interface Aim {
  readonly name: string;
  readonly url: string;
  readonly key?: string;
}

const job = ({ url, key }: Aim, durationMs: number, rate: Rate) =>
  ({
    kind: 'open',
    url,
    ...(key === undefined ? {} : { key }),
    ...rate,
    durationMs,
    stream: STREAM,
  }) as const;

/** Highest resident memory of `pid` under that load, in MB, and the generations that ended. */
export async function underRatedLoad(
  load: LoadGenerator,
  aim: Aim,
  pid: number,
  durationMs: number,
  rate: Rate = USUAL,
): Promise<{ residentMb: number; ended: readonly (readonly [string, number])[] }> {
  refuseErrors(aim.name, await load.run(job(aim, WARM_UP_MS, rate)));
  const memory = watchResident(pid);
  const result = await load.run(job(aim, durationMs, rate));
  const residentMb = memory.stop();
  refuseErrors(aim.name, result);
  return { residentMb, ended: result.ended };
}

/** From the last byte at the client to the posted entry, ms. */
export async function billingLag(
  load: LoadGenerator,
  gateway: Gateway,
  durationMs: number,
  rate: Rate = USUAL,
): Promise<Lag & { readonly residentMb: number }> {
  const { target } = gateway;
  const { residentMb, ended } = await underRatedLoad(load, target, target.pid, durationMs, rate);
  const posted = await gateway.postedAtMs(ended.map(([id]) => id));
  const lags = ended.map(([id, lastByteAtMs]) => posted.get(id)! - lastByteAtMs);
  const { perSecond } = rate;
  return { lagMs: percentilesOf(lags), generations: ended.length, perSecond, residentMb };
}

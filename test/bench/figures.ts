// The figures that the product is held to (issues 3 and 4, "Figures to reach"), and how each comes out of the samples.
import { spreadOf, type Percentiles } from './statistics.js';
import type { Samples } from './measures.js';

export type LogName = 'PostgreSQL' | 'Kafka';

export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** More is better; else less is. */
  readonly atLeast?: true;
  readonly reach: number;
  readonly aim: number;
  readonly measured: number;
  /** What the figure was made of. */
  readonly from: string;
}

const difference = (samples: Samples, quantity: string, from: 'direct' | 'bare proxy'): number =>
  samples.of('Custos', quantity).median - samples.of(from, quantity).median;

const pair = (samples: Samples, quantity: string, than: 'direct' | 'bare proxy'): string =>
  `${samples.of('Custos', quantity).median.toFixed(2)} against ${samples.of(than, quantity).median.toFixed(2)} ${than}`;

export function cpuFigure(samples: Samples, log: LogName): Figure {
  const quantity = 'CPU µs/request';
  return {
    name: `CPU of the ingress process per unstreamed 1 KB request, ${log} log`,
    unit: '× bare proxy',
    ...(log === 'PostgreSQL' ? { reach: 2.7, aim: 2.3 } : { reach: 3, aim: 2.5 }),
    measured: samples.of('Custos', quantity).median / samples.of('bare proxy', quantity).median,
    from: `${pair(samples, quantity, 'bare proxy')} µs`,
  };
}

export function eventFigure(samples: Samples, log: LogName): Figure {
  const quantity = 'CPU µs/event';
  return {
    name: `CPU per SSE event over the bare proxy, slope between streams of 64 and 512, ${log} log`,
    unit: 'µs',
    reach: 3,
    aim: 1,
    measured: difference(samples, quantity, 'bare proxy'),
    from: `${pair(samples, quantity, 'bare proxy')} µs`,
  };
}

export function latencyFigure(samples: Samples, log: LogName): Figure {
  const quantity = 'p50 ms, one caller';
  return {
    name: `added p50, one caller at a time, over a direct call, ${log} log`,
    unit: 'ms',
    ...(log === 'PostgreSQL' ? { reach: 0.8, aim: 0.6 } : { reach: 1.4, aim: 1.1 }),
    measured: difference(samples, quantity, 'direct'),
    from: `${pair(samples, quantity, 'direct')} ms`,
  };
}

export function firstTokenFigure(samples: Samples, log: LogName): Figure {
  const quantity = 'first token p50 ms';
  return {
    name: `time to first token added at 32 streams, p50, ${log} log`,
    unit: 'ms',
    reach: 3,
    aim: 2,
    measured: difference(samples, quantity, 'direct'),
    from: `${pair(samples, quantity, 'direct')} ms`,
  };
}

export interface Lag {
  readonly lagMs: Percentiles;
  readonly generations: number;
  readonly perSecond: number;
}

export function lagFigures({ lagMs, generations, perSecond }: Lag, log: LogName): Figure[] {
  const { p50, p99, max } = lagMs;
  const from = `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, worst ${max.toFixed(0)} ms of ${generations}`;
  const name = `last byte → posted entry at ${perSecond} generations/s`;
  const half = { name: `${name}, p50, ${log} log`, unit: 's', from };
  const most = { name: `${name}, p99, ${log} log`, unit: 's', from };
  return perSecond < 1_000
    ? [{ ...most, reach: 1, aim: 0.3, measured: p99 / 1_000 }]
    : [
        { ...half, reach: 0.25, aim: 0.15, measured: p50 / 1_000 },
        { ...most, reach: 2, aim: 0.5, measured: p99 / 1_000 },
      ];
}

export function memoryFigure(
  whose: 'ingress' | 'standalone',
  residentMb: number,
  from: string,
): Figure {
  return {
    name: `RSS at 300 generations/s: ${whose}`,
    unit: 'MB',
    ...(whose === 'ingress' ? { reach: 350, aim: 220 } : { reach: 600, aim: 400 }),
    measured: residentMb,
    from,
  };
}

export function startFigure(firstSeconds: number, againSeconds: readonly number[]): Figure {
  const { median, min, max } = spreadOf(againSeconds);
  return {
    name: '`npm start` on a built checkout → ready',
    unit: 's',
    reach: 6,
    aim: 3,
    measured: median,
    from: `${againSeconds.length} starts, ${min.toFixed(1)}–${max.toFixed(1)} s; with an empty data directory ${firstSeconds.toFixed(1)} s`,
  };
}

export type Verdict = 'aim reached' | 'reached' | 'falls short';

export function verdictOf({ measured, reach, aim, atLeast }: Figure): Verdict {
  const meets = (mark: number): boolean => (atLeast ? measured >= mark : measured <= mark);
  return meets(aim) ? 'aim reached' : meets(reach) ? 'reached' : 'falls short';
}

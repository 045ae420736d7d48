// The windows of one round. Each target gets the same, one after the other, round by round: what the machine does
// meanwhile hits all of them alike.
import { setTimeout as pause } from 'node:timers/promises';
import { cpuMicrosOf, cpuMicrosOfTree, usedBetween } from './accounting.js';
import type { LoadGenerator } from './children.js';
import type { ClosedJob, LoadResult } from './load-job.js';
import { spreadOf, type Spread } from './statistics.js';
import type { Target } from './targets.js';

export interface Effort {
  readonly rounds: number;
  readonly windowMs: number;
  /** Requests that each target answers before it is measured: V8 compiles what is hot only after thousands. */
  readonly warmUpRequests: number;
  readonly lagMs: number;
  /** That the ledger alone works off. */
  readonly generations: number;
}

export const FULL: Effort = {
  rounds: 7,
  windowMs: 2_500,
  warmUpRequests: 40_000,
  lagMs: 20_000,
  generations: 1_000_000,
};
export const QUICK: Effort = {
  rounds: 3,
  windowMs: 1_200,
  warmUpRequests: 15_000,
  lagMs: 6_000,
  generations: 100_000,
};

/** Closed records ride with the next batch; they belong to the window that made them. */
const AFTERMATH_MS = 100;
const CONNECTIONS = 32;
const STREAM_INTERVAL_MS = 5;
const SHORT_STREAM = 64;
const LONG_STREAM = 512;

interface Window {
  readonly cpuMicrosPerRequest: number;
  readonly perSecond: number;
  readonly load: LoadResult;
  /** Until everything that the window left behind was worked off. */
  readonly behindMicrosPerRequest: Readonly<Record<string, number>>;
}

/** By target and quantity, one number per round. */
export class Samples {
  readonly #numbers = new Map<string, number[]>();

  add(target: string, quantity: string, value: number): void {
    const name = `${target} | ${quantity}`;
    const numbers = this.#numbers.get(name) ?? [];
    numbers.push(value);
    this.#numbers.set(name, numbers);
  }

  of(target: string, quantity: string): Spread {
    return spreadOf(this.#numbers.get(`${target} | ${quantity}`) ?? []);
  }

  /** Every quantity with its spread, in the order in which they were first measured. */
  rows(): readonly { target: string; quantity: string; spread: Spread }[] {
    return [...this.#numbers].map(([name, numbers]) => {
      const [target = '', quantity = ''] = name.split(' | ');
      return { target, quantity, spread: spreadOf(numbers) };
    });
  }
}

export class Measures {
  constructor(
    private readonly load: LoadGenerator,
    private readonly effort: Effort,
    private readonly say: (text: string) => void,
  ) {}

  async warmUp(targets: readonly Target[]): Promise<void> {
    for (const target of targets) {
      const requestsEach = Math.ceil(this.effort.warmUpRequests / CONNECTIONS);
      await this.#window(target, { connections: CONNECTIONS, requestsEach });
      await this.#window(target, { connections: 1, durationMs: this.effort.windowMs });
      const stream = { chunks: SHORT_STREAM, intervalMs: STREAM_INTERVAL_MS };
      await this.#window(target, { connections: CONNECTIONS, requestsEach: 4, stream });
    }
  }

  /** Unstreamed, 32 connections: CPU per request and throughput. */
  cpuPerRequest(targets: readonly Target[], samples: Samples): Promise<void> {
    return this.#rounds('CPU per request', targets, async (target) => {
      const job = { connections: CONNECTIONS, durationMs: this.effort.windowMs };
      const { cpuMicrosPerRequest, perSecond, load, behindMicrosPerRequest } = await this.#window(
        target,
        job,
      );
      for (const [name, micros] of Object.entries(behindMicrosPerRequest))
        samples.add(`${target.name}'s ${name}`, 'CPU µs/request', micros);
      samples.add(target.name, 'CPU µs/request', cpuMicrosPerRequest);
      samples.add(target.name, 'requests/s', perSecond);
      samples.add(target.name, 'p50 ms, 32 callers', load.durationMs.p50);
      samples.add(target.name, 'p99 ms, 32 callers', load.durationMs.p99);
    });
  }

  /** Unstreamed, one caller at a time: the honest latency. */
  latency(targets: readonly Target[], samples: Samples): Promise<void> {
    return this.#rounds('one caller', targets, async (target) => {
      const job = { connections: 1, durationMs: this.effort.windowMs };
      const { load } = await this.#window(target, job);
      samples.add(target.name, 'p50 ms, one caller', load.durationMs.p50);
      samples.add(target.name, 'p99 ms, one caller', load.durationMs.p99);
    });
  }

  /** 32 streams at once, an event every 5 ms, of 64 and of 512 events: what an event costs is the slope between. */
  streams(targets: readonly Target[], samples: Samples): Promise<void> {
    return this.#rounds('streams', targets, async (target) => {
      const window = (chunks: number): Promise<Window> =>
        this.#window(target, {
          connections: CONNECTIONS,
          requestsEach: LONG_STREAM / chunks,
          staggerMs: SHORT_STREAM * STREAM_INTERVAL_MS,
          stream: { chunks, intervalMs: STREAM_INTERVAL_MS },
        });
      const short = await window(SHORT_STREAM);
      const long = await window(LONG_STREAM);
      const slope =
        (long.cpuMicrosPerRequest - short.cpuMicrosPerRequest) / (LONG_STREAM - SHORT_STREAM);
      samples.add(target.name, 'CPU µs/stream of 64', short.cpuMicrosPerRequest);
      samples.add(target.name, 'CPU µs/stream of 512', long.cpuMicrosPerRequest);
      samples.add(target.name, 'CPU µs/event', slope);
      samples.add(target.name, 'first token p50 ms', short.load.firstEventMs.p50);
      samples.add(target.name, 'first token p99 ms', short.load.firstEventMs.p99);
    });
  }

  async #rounds(
    what: string,
    targets: readonly Target[],
    round: (target: Target) => Promise<void>,
  ): Promise<void> {
    for (let n = 1; n <= this.effort.rounds; n++) {
      this.say(`${what}: round ${n} of ${this.effort.rounds}`);
      for (const target of targets) await round(target);
    }
  }

  async #window(target: Target, shape: Omit<ClosedJob, 'kind' | 'url' | 'key'>): Promise<Window> {
    const { url, key, pid } = target;
    const behind = Object.entries(target.behind ?? {});
    const behindBefore = behind.map(([, root]) => cpuMicrosOfTree(root));
    const before = cpuMicrosOf(pid);
    const load = await this.load.run({
      kind: 'closed',
      url,
      ...(key === undefined ? {} : { key }),
      ...shape,
    });
    await pause(AFTERMATH_MS);
    const cpuMicros = cpuMicrosOf(pid) - before;
    refuseErrors(target.name, load);
    await target.settle();
    return {
      cpuMicrosPerRequest: cpuMicros / load.requests,
      perSecond: (load.requests * 1_000) / load.elapsedMs,
      load,
      behindMicrosPerRequest: Object.fromEntries(
        behind.map(([name, root], n) => [
          name,
          usedBetween(behindBefore[n]!, cpuMicrosOfTree(root)) / load.requests,
        ]),
      ),
    };
  }
}

/** A figure with failed requests in it says nothing. */
export function refuseErrors(name: string, load: LoadResult): void {
  if (load.errors > 0)
    throw new Error(
      `${name}: ${load.errors} of ${load.requests} requests failed: ${JSON.stringify(load.failures)}`,
    );
}

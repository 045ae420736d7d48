// The load generator: one process that lives through the run (so that its code is hot), a job per IPC message.
import { setTimeout as pause } from 'node:timers/promises';
import { chatBody } from './chat-request.js';
import { Caller, requestBytes, type Answer } from './http-caller.js';
import type { ClosedJob, LoadJob, LoadResult, OpenJob } from './load-job.js';
import { percentilesOf } from './statistics.js';

/** Beyond this many at once the target has stopped answering, and the rest counts as failed. */
const OPEN_CALLS_MAX = 4_096;

class Tally {
  readonly durations: number[] = [];
  readonly firstEvents: number[] = [];
  readonly failures: Record<string, number> = {};
  readonly ended: (readonly [string, number])[] = [];
  requests = 0;
  errors = 0;
  readonly #startedMs = performance.now();

  add(answer: Answer): void {
    this.requests++;
    if (!answer.ok) return this.fail(answer.status);
    this.durations.push(answer.durationMs);
    if (!Number.isNaN(answer.firstEventMs)) this.firstEvents.push(answer.firstEventMs);
  }

  fail(status: number): void {
    this.errors++;
    this.failures[status] = (this.failures[status] ?? 0) + 1;
  }

  result(): LoadResult {
    return {
      requests: this.requests,
      errors: this.errors,
      failures: this.failures,
      elapsedMs: performance.now() - this.#startedMs,
      durationMs: percentilesOf(this.durations),
      firstEventMs: percentilesOf(this.firstEvents),
      ended: this.ended,
    };
  }
}

async function closed(job: ClosedJob): Promise<LoadResult> {
  const url = new URL(job.url);
  const request = requestBytes(url, job.key, chatBody(job.stream));
  const tally = new Tally();
  const untilMs = performance.now() + (job.durationMs ?? Number.POSITIVE_INFINITY);
  const requestsMax = job.requestsEach ?? Number.POSITIVE_INFINITY;
  const connection = async (_: unknown, index: number): Promise<void> => {
    const caller = new Caller(url);
    if (job.staggerMs !== undefined) await pause((index * job.staggerMs) / job.connections);
    for (let n = 0; n < requestsMax && performance.now() < untilMs; n++)
      tally.add(await caller.call(request, job.stream !== undefined));
    caller.close();
  };
  await Promise.all(Array.from({ length: job.connections }, connection));
  return tally.result();
}

async function open(job: OpenJob): Promise<LoadResult> {
  const url = new URL(job.url);
  const plain = requestBytes(url, job.key, chatBody());
  const streamed = requestBytes(url, job.key, chatBody(job.stream));
  const tally = new Tally();
  const idle: Caller[] = [];
  const all = new Set<Caller>();
  const running = new Set<Promise<void>>();
  const begin = async (n: number): Promise<void> => {
    const caller = idle.pop() ?? new Caller(url);
    all.add(caller);
    const stream = n % job.streamEvery === 0;
    const answer = await caller.call(stream ? streamed : plain, stream);
    tally.add(answer);
    if (answer.ok && answer.generationId !== undefined)
      tally.ended.push([answer.generationId, answer.lastByteAtMs]);
    idle.push(caller);
  };
  const startedMs = performance.now();
  const total = Math.round((job.perSecond * job.durationMs) / 1_000);
  for (let n = 0; n < total; n++) {
    const dueMs = startedMs + (n * 1_000) / job.perSecond;
    while (performance.now() < dueMs) await pause(1);
    if (running.size >= OPEN_CALLS_MAX) {
      tally.requests++;
      tally.fail(0);
      continue;
    }
    const one: Promise<void> = begin(n).finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  for (const caller of all) caller.close();
  return tally.result();
}

process.on('message', (job: LoadJob) => {
  void (job.kind === 'closed' ? closed(job) : open(job)).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit(0));

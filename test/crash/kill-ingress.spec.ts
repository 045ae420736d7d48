// kill -9 of the whole gateway amid 200 streams, three times on one data directory, with the simulator as the witness.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { complete, completeOrNothing, type Answered } from '../support/completions.js';
import { eventually, Gateway } from '../support/gateway.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';
import { callerOf } from '../support/stage.js';
import { Books } from './books.js';

const STREAMS = 200;
/** 60 pieces, 20 ms apart: a stream takes 1.2 s, long enough that a random moment finds most of them under way. */
const CHUNKS = 60;
const CHUNK_INTERVAL_MS = 20;
/** Some are being admitted while others run. */
const APART_MS = 4;

describe('kill -9 of the gateway', () => {
  let gateway: Gateway;
  let simulator: SimulatorProcess;
  const told = new Map<string, Answered>();

  beforeAll(async () => {
    simulator = await startSimulator();
    gateway = await Gateway.start({ CUSTOS_SIMULATOR_URL: simulator.url });
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
  });

  it.each([
    ['while requests are being admitted', { arrived: 20, completed: 0 }, 100],
    ['amid the streams', { arrived: 150, completed: 0 }, 600],
    ['while some end and others run', { arrived: 0, completed: 40 }, 60],
  ])(
    '%s: all that left is on record, closed, billed once',
    async (_when, until, spreadMs) => {
      const orphan = postmasterOf(gateway);
      await gateway.fault({ endpoint: '*', chunks: CHUNKS, chunkIntervalMs: CHUNK_INTERVAL_MS });
      const before = await gateway.simulatedSoFar();
      const asked = Array.from({ length: STREAMS }, async (_, i) => {
        await sleep(i * APART_MS);
        return completeOrNothing(callerOf(gateway), { stream: i % 8 !== 0 });
      });
      await eventually(async () => {
        const seen = await gateway.simulated(before);
        const completed = seen.filter(({ status }) => status === 'completed');
        return seen.length >= until.arrived && completed.length >= until.completed
          ? true
          : undefined;
      });
      const laterMs = Math.round(Math.random() * spreadMs);
      await sleep(laterMs);
      // On a busy machine all that had come by then may have ended: the kill waits for one that is under way.
      await eventually(async () =>
        (await gateway.simulated(before)).some(({ status }) => status === 'open')
          ? true
          : undefined,
      );
      await gateway.kill9();
      for (const answer of await Promise.all(asked))
        if (answer?.generationId !== undefined) told.set(answer.generationId, answer);
      expect(isAlive(orphan)).toBe(true);

      await gateway.restart();
      const postmaster = postmasterOf(gateway);
      expect(isAlive(postmaster)).toBe(true);
      // Stopped, or adopted: two servers on one cluster would be the end of it.
      if (postmaster !== orphan) expect(isAlive(orphan)).toBe(false);

      await gateway.clearFaults();
      const books = new Books(superuserUrl(gateway));
      try {
        await books.settled();
        const arrivals = await gateway.simulated(before);
        console.info(
          `killed ${laterMs} ms later: ${arrivals.length} reached the simulator, ` +
            `${arrivals.filter(({ status }) => status === 'aborted').length} were cut off`,
        );
        // Else the kill came when nothing was under way, and nothing was tried.
        expect(arrivals.some(({ status }) => status === 'aborted')).toBe(true);
        const generations = await books.expectWhole(await gateway.simulated());
        expect(await books.leasesOfTheDead()).toBe(0);
        // Whoever got an id has a trail; whoever got the whole answer pays what the answer said.
        for (const [id, answer] of told) {
          const generation = generations.get(id);
          expect(generation).toBeDefined();
          // The closing record may have died with the process; then the bill is at most what was told.
          const paid = Number(generation!.amount ?? 0) / 1e12;
          if (generation!.status === 'completed') expect(paid).toBeCloseTo(answer.cost ?? paid, 11);
          else if (answer.cost !== undefined) expect(paid).toBeLessThanOrEqual(answer.cost);
        }
      } finally {
        await books.close();
      }
      const answer = await complete(callerOf(gateway));
      expect(answer).toMatchObject({ status: 200, text: 'a b c' });
      await gateway.trail(answer.generationId!);
    },
    120_000,
  );

  it('what it left behind stops cleanly', async () => {
    const postmaster = postmasterOf(gateway);
    expect(await gateway.stop()).toBe(0);
    expect(isAlive(postmaster)).toBe(false);
  });
});

function postmasterOf({ dataDir }: Gateway): number {
  return Number.parseInt(
    readFileSync(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8'),
    10,
  );
}

function superuserUrl({ dataDir }: Gateway): string {
  const { port, passwords } = JSON.parse(
    readFileSync(join(dataDir, 'postgres', 'access.json'), 'utf8'),
  ) as { port: number; passwords: { postgres: string } };
  return `postgres://postgres:${passwords.postgres}@127.0.0.1:${port}/custos`;
}

function isAlive(pid: number): boolean {
  if (existsSync(`/proc/${pid}/stat`))
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

// The PostgreSQL that is log and ledger dies under load: nothing leaves without it, and all goes on when it is back.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { EmbeddedPostgres } from '#libs/platform';
import { complete, Load } from '../support/completions.js';
import { eventually, Gateway } from '../support/gateway.js';
import { runDirectory } from '../support/postgres.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';
import { callerOf, onDatabase } from '../support/stage.js';
import { Books } from './books.js';

const LANES = 16;
/** Requests acknowledged before the server died may still be on their way to the simulator. */
const ON_THEIR_WAY_MS = 1_000;
const OUTAGE_MS = 2_500;

describe('kill -9 of PostgreSQL', () => {
  let postgres: EmbeddedPostgres;
  let gateway: Gateway;
  let simulator: SimulatorProcess;
  let dataDir: string;

  const startPostgres = async (): Promise<EmbeddedPostgres> => {
    const { startEmbeddedPostgres } = await import('#libs/platform');
    return startEmbeddedPostgres({ dataDir });
  };

  beforeAll(async () => {
    dataDir = join(mkdtempSync(join(runDirectory(), 'mortal-')), 'data');
    [postgres, simulator] = await Promise.all([startPostgres(), startSimulator()]);
    gateway = await Gateway.start({ ...onDatabase(postgres), CUSTOS_SIMULATOR_URL: simulator.url });
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await simulator?.stop();
    await postgres?.stop();
  });

  it.each([['once'], ['and again']])(
    '%s: 503 with Retry-After and nothing dispatched, then on with every record',
    async () => {
      const caller = callerOf(gateway);
      const load = new Load(caller, LANES, { stream: true });
      await eventually(() => (load.answers.length > 100 ? true : undefined));

      process.kill(postgres.pid, 'SIGKILL');
      await postgres.exited;
      const diedAtMs = Date.now();
      const refused = await eventually(async () => {
        const answer = await complete(caller);
        return answer.status === 503 ? answer : undefined;
      });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.error?.metadata.custos_code).toBe('log_unavailable');
      const health = await fetch(`${gateway.baseUrl}/health/ready`);
      expect(health.status).toBe(503);
      await health.arrayBuffer();
      // A refusal may come from the leases first; the log is late once its own deadline has passed.
      await eventually(async () => {
        const ready = await fetch(`${gateway.baseUrl}/health/ready`);
        return (await ready.text()).includes('audit log') ? true : undefined;
      });
      await sleep(OUTAGE_MS);
      expect((await fetch(`${gateway.baseUrl}/health/live`)).status).toBe(200);

      await postgres.stop();
      const backAtMs = Date.now();
      postgres = await startPostgres();
      await eventually(
        async () => ((await complete(caller)).status === 200 ? true : undefined),
        30_000,
      );
      await sleep(500);
      await load.stop();

      expect(load.unanswered).toBe(0);
      const odd = load.answers.filter(({ status }) => status !== 200 && status !== 503);
      expect(odd.map(({ status, error }) => ({ status, error }))).toEqual([]);
      for (const { headers } of load.answers.filter(({ status }) => status === 503))
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      const books = new Books(postgres.superuserUrl);
      try {
        await books.settled();
        const arrivals = await gateway.simulated();
        const during = arrivals.filter(
          ({ receivedAt }) =>
            Date.parse(receivedAt) > diedAtMs + ON_THEIR_WAY_MS &&
            Date.parse(receivedAt) < backAtMs,
        );
        expect(during).toEqual([]);
        const generations = await books.expectWhole(arrivals);
        const served = load.answers.filter(({ status, whole }) => status === 200 && whole);
        expect(served.length).toBeGreaterThan(100);
        for (const { generationId, cost } of served) {
          const generation = generations.get(generationId!);
          expect(generation).toMatchObject({ status: 'completed', posted: true, journals: 1 });
          expect(Number(generation!.amount) / 1e12).toBeCloseTo(cost!, 11);
        }
      } finally {
        await books.close();
      }
    },
    120_000,
  );
});

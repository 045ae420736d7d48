// Processes that start before their PostgreSQL is there, or while it recovers, wait for it within a bound and say so.
import { createServer, type AddressInfo, type Server } from 'node:net';
import { mkdtempSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { eventually } from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { Tap } from './tap.js';

/** Five processes start at once, on two cores that others use as well. */
const WITHIN_MS = 120_000;
const APPS = ['control', 'policy', 'routing', 'ledger', 'ingress'] as const;

describe('a start while PostgreSQL is away', () => {
  let database: FreshDatabase;
  let recovering: Server;
  let tap: Tap;
  let port: number;
  let dataDir: string;
  const started: AppProcess[] = [];

  beforeAll(async () => {
    database = await freshDatabase();
    recovering = await startingUp();
    dataDir = mkdtempSync(join(runDirectory(), 'away-'));
    tap = await Tap.open(() => port);
  }, WITHIN_MS);
  afterAll(async () => {
    for (const app of started.toReversed()) await app.stop();
    await tap?.close();
    await new Promise((closed) => recovering?.close(closed));
    await database?.drop();
  }, WITHIN_MS);

  const through = (url: string): string => {
    const changed = new URL(url);
    changed.port = String(tap.port);
    return changed.href;
  };
  const launch = async (
    apps: readonly string[],
    more: Readonly<Record<string, string>>,
  ): Promise<readonly AppProcess[]> => {
    const ports = await portsToKeep(apps.length);
    const at = (app: string): string => `http://127.0.0.1:${ports[apps.indexOf(app)] ?? 9}`;
    const environment = {
      CUSTOS_INTERNAL_TOKEN: randomBytes(32).toString('hex'),
      CUSTOS_DIGEST_KEY: randomBytes(32).toString('hex'),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_SIMULATOR_URL: 'http://127.0.0.1:9',
      CUSTOS_CONTROL_URL: at('control'),
      CUSTOS_POLICY_URL: at('policy'),
      CUSTOS_ROUTING_URL: at('routing'),
      CUSTOS_LEDGER_URL: at('ledger'),
      CUSTOS_DATABASE_URL: through(database.appUrl),
      CUSTOS_MIGRATION_DATABASE_URL: through(database.ownerUrl),
      CUSTOS_AUDIT_DATABASE_URL: through(database.auditUrl),
      ...more,
    };
    const made = apps.map((app, n) => AppProcess.launch(app, ports[n]!, environment));
    started.push(...made);
    return made;
  };

  it('ends with 1 and the reason when the time is over', async () => {
    port = (recovering.address() as AddressInfo).port;
    const [ledger] = await launch(['ledger'], { CUSTOS_START_WAIT: '1s' });
    const ended = new Promise((resolve) => (ledger!.watcher.ended = resolve));
    expect(await ended).toBe(1);
    expect(ledger!.output).toContain('"event":"start.waits"');
    expect(ledger!.output.trim().split('\n').at(-3)).toMatch(
      /starting up.*"event":"start\.failed"/,
    );
  }, 60_000);

  it(
    'waits while nobody listens and while it recovers, and then serves',
    async () => {
      // The schema first, as the ledger of a deployment has made it before: an ingress makes none.
      port = Number(new URL(database.appUrl).port);
      const [first] = await launch(['ledger'], {});
      await first!.ready();
      await first!.stop();

      const [nobody] = await portsToKeep(1);
      port = nobody!;
      // Its own bound must not be reached on a machine that others use as well.
      const apps = await launch(APPS, { CUSTOS_START_WAIT: '10m' });
      const ends: string[] = [];
      for (const app of apps) app.watcher.ended = (how) => void ends.push(`${app.app}: ${how}`);
      const waits = (app: AppProcess): number => app.output.split('"start.waits"').length - 1;
      const all = (so: (app: AppProcess) => boolean) => () => apps.every(so) || undefined;
      const counts = (): string => `who waits: ${apps.map(waits).join()}`;
      await eventually(
        all((app) => waits(app) > 0),
        WITHIN_MS,
        counts,
      );

      port = (recovering.address() as AddressInfo).port;
      // Not after one more look: one that was on its way to nobody may still say so.
      await eventually(
        all(({ output }) => output.includes('starting up')),
        WITHIN_MS,
        counts,
      );

      port = Number(new URL(database.appUrl).port);
      await Promise.all(
        ['control', 'policy', 'routing', 'ledger'].map((name) =>
          eventually(
            async () => {
              const app = apps.find((a) => a.app === name)!;
              const answer = await fetch(`${app.url}/health/ready`).catch(() => undefined);
              await answer?.arrayBuffer().catch(() => undefined);
              return answer?.status === 200 || undefined;
            },
            WITHIN_MS,
            () =>
              `${name} does not serve: ${apps.find((a) => a.app === name)!.output.slice(-1_500)}`,
          ),
        ),
      );
      await apps.find((a) => a.app === 'ingress')!.ready();
      expect(ends).toEqual([]);
    },
    6 * WITHIN_MS,
  );
});

/** A server that speaks as a PostgreSQL does until it has recovered. */
async function startingUp(): Promise<Server> {
  const fields = 'SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0';
  const message = Buffer.alloc(5 + fields.length);
  message.write('E');
  message.writeInt32BE(4 + fields.length, 1);
  message.write(fields, 5, 'latin1');
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(message));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

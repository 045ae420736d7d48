// Custos as it is measured: six processes, everything on (keys, policy, budgets, durable audit, telemetry, ledger).
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { Processes } from '../support/processes.js';
import { onCore } from './pinning.js';
import type { Target } from './targets.js';

/** How long the ledger may take for what a window at full speed left behind. */
const SETTLE_MS = 120_000;
const LOOK_EVERY_MS = 50;
const LAG_QUERY_EVERY_MS = 250;

export interface GatewayOptions {
  readonly dataDir: string;
  readonly upstreamUrl: string;
  readonly kafkaBrokers?: readonly string[];
  readonly kafkaPid?: number;
  readonly ingressFlags: readonly string[];
}

export interface Gateway {
  readonly target: Target;
  readonly inspectorUrl: string | undefined;
  /** When each was posted, by the database's clock, which is this machine's. Waits until all are. */
  postedAtMs(generationIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { dataDir, upstreamUrl, kafkaBrokers } = options;
  const processes = await Processes.start({
    dataDir,
    ...(kafkaBrokers === undefined ? {} : { kafkaBrokers }),
    simulator: false,
    environment: {
      ingress: {
        CUSTOS_PROVIDERS: 'live',
        OPENAI_API_KEY: 'sk-bench',
        OPENAI_BASE_URL: `${upstreamUrl}/v1`,
      },
    },
    nodeFlags: { ingress: options.ingressFlags },
    prefix: { ingress: onCore(0) },
  });
  const database = new pg.Client({ connectionString: processes.databases.ownerUrl });
  await database.connect();
  return {
    target: {
      name: 'Custos',
      url: `${processes.url('ingress')}/v1/chat/completions`,
      key: processes.keys.apiKey,
      pid: processes.pid('ingress'),
      behind: {
        ledger: processes.pid('ledger'),
        PostgreSQL: processes.databasePid!,
        ...(options.kafkaPid === undefined ? {} : { Kafka: options.kafkaPid }),
      },
      settle: () => ledgerHasCaughtUp(processes),
    },
    inspectorUrl: /Debugger listening on (ws:\S+)/.exec(processes.output('ingress'))?.[1],
    postedAtMs: (ids) => postedAtMs(database, ids),
    stop: async () => {
      await database.end();
      await processes.stop();
    },
  };
}

async function ledgerHasCaughtUp(processes: Processes): Promise<void> {
  const untilMs = performance.now() + SETTLE_MS;
  const headers = { authorization: `Bearer ${processes.internalToken}` };
  for (;;) {
    const answer = await fetch(`${processes.url('ledger')}/internal/v1/ledger`, { headers });
    const status = (await answer.json()) as { recordsBehind?: string };
    if (status.recordsBehind === '0') return;
    if (performance.now() > untilMs)
      throw new Error(
        `the ledger is still behind: ${JSON.stringify(status)}\n${processes.output('ledger')}`,
      );
    await pause(LOOK_EVERY_MS);
  }
}

async function postedAtMs(
  database: pg.Client,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const untilMs = performance.now() + SETTLE_MS;
  for (;;) {
    const { rows } = await database.query<{ id: string; posted: string }>(
      `select id, extract(epoch from posted_at) * 1000 as posted from ledger.generation
       where id = any($1) and posted_at is not null`,
      [ids],
    );
    if (rows.length === ids.length)
      return new Map(rows.map(({ id, posted }) => [id, Number(posted)]));
    if (performance.now() > untilMs)
      throw new Error(`only ${rows.length} of ${ids.length} generations are posted`);
    await pause(LAG_QUERY_EVERY_MS);
  }
}

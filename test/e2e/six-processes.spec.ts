// The house as six processes: snapshots and leases over HTTP. Kill what the data plane does not need, and it goes on until
// its snapshots are too old; kill the ledger, and it goes on while it has leases.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import {
  complete,
  completeOrNothing,
  type Answered,
  type Asked,
  type Caller,
} from '../support/completions.js';
import {
  eventually,
  isPosted,
  type Bootstrap,
  type SimulatedRequest,
  type Trail,
} from '../support/gateway.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';
import { onDatabase } from '../support/stage.js';

const MAX_AGE_MS = 15_000;
/** For so long after the last poll that any machine has come to, they are surely fresh. */
const SURELY_FRESH_MS = 8_000;

describe('six processes', () => {
  const apps = new Map<string, AppProcess>();
  let database: FreshDatabase;
  let simulator: SimulatorProcess;
  let keys: Bootstrap;
  let caller: Caller;
  const app = (name: string): AppProcess => apps.get(name)!;

  beforeAll(async () => {
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    const dataDir = mkdtempSync(join(runDirectory(), 'six-'));
    const ports = await portsToKeep(5);
    const [control, policy, routing, ledger, ingress] = ports as [
      number,
      number,
      number,
      number,
      number,
    ];
    const at = (port: number): string => `http://127.0.0.1:${port}`;
    const environment = {
      ...onDatabase(database),
      CUSTOS_INTERNAL_TOKEN: randomBytes(32).toString('hex'),
      CUSTOS_DIGEST_KEY: randomBytes(32).toString('hex'),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_CONTROL_URL: at(control),
      CUSTOS_POLICY_URL: at(policy),
      CUSTOS_ROUTING_URL: at(routing),
      CUSTOS_LEDGER_URL: at(ledger),
      CUSTOS_SIMULATOR_URL: simulator.url,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_SNAPSHOT_POLL: '250ms',
      CUSTOS_SNAPSHOT_MAX_AGE: `${MAX_AGE_MS}ms`,
      CUSTOS_LOG_LEVEL: 'warn',
    };
    const start = (name: string, port: number): AppProcess => {
      const made = AppProcess.launch(name, port, environment);
      apps.set(name, made);
      return made;
    };
    // Control makes the first keys and the log's tables; all others poll it, in whatever order they come.
    await start('control', control).ready();
    await Promise.all(
      [start('ledger', ledger), start('policy', policy), start('routing', routing)].map((a) =>
        a.ready(),
      ),
    );
    await start('ingress', ingress).ready();
    keys = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap;
    caller = { v1: `${app('ingress').url}/v1`, apiKey: keys.apiKey };
  }, 120_000);
  afterAll(async () => {
    await app('ingress')?.stop();
    await Promise.all([...apps.values()].map((a) => a.stop()));
    await simulator?.stop();
    await database?.drop();
  });

  const ask = (asked: Asked = {}): Promise<Answered> => complete(caller, asked);
  const posted = (id: string): Promise<Trail> =>
    eventually(async () => {
      const response = await fetch(`${app('ledger').url}/audit/v1/trails/${id}`, {
        headers: { authorization: `Bearer ${keys.auditorKey}` },
      });
      if (response.status !== 200) return undefined;
      const trail = (await response.json()) as Trail;
      return isPosted(trail) ? trail : undefined;
    });
  const ready = async (): Promise<{ status: number; reasons: Record<string, string> }> => {
    const response = await fetch(`${app('ingress').url}/health/ready`);
    const { reasons } = (await response.json()) as { reasons: Record<string, string> };
    return { status: response.status, reasons };
  };
  const requests = async (): Promise<readonly SimulatedRequest[]> => {
    const response = await fetch(`${simulator.url}/__sim/requests`);
    return ((await response.json()) as { requests: SimulatedRequest[] }).requests;
  };
  const arrived = async (): Promise<number> => (await requests()).length;
  async function expectBothWays(): Promise<void> {
    for (const stream of [true, false]) {
      const answer = await ask({ stream });
      expect(answer).toMatchObject({ status: 200, text: 'a b c', whole: true });
      expect(await posted(answer.generationId!)).toMatchObject({ status: 'completed' });
    }
  }

  it('answer streamed and not, and post the bill', async () => {
    await expectBothWays();
    expect(await ready()).toEqual({ status: 200, reasons: {} });
  });

  it('tell callers of their generations through the ingress', async () => {
    const { generationId } = await ask();
    await posted(generationId!);
    const response = await fetch(`${caller.v1}/generation?id=${generationId!}`, {
      headers: { authorization: `Bearer ${keys.apiKey}` },
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ data: { id: generationId } });
  });

  it('a change at control reaches the ingress', async () => {
    const response = await fetch(`${app('control').url}/admin/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ workspaceId: 'ws-default', label: 'later' }),
    });
    expect(response.status).toBe(201);
    const { id, secret } = (await response.json()) as { id: string; secret: string };
    const later = { v1: caller.v1, apiKey: secret };
    await eventually(async () => ((await complete(later)).status === 200 ? true : undefined));
    await fetch(`${app('control').url}/admin/v1/keys/${id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${keys.adminKey}` },
    });
    await eventually(async () => ((await complete(later)).status === 401 ? true : undefined));
  });

  it('without policy, routing and control completions go on, until the snapshots are too old; then they fail closed', async () => {
    await Promise.all(['policy', 'routing', 'control'].map((name) => app(name).kill9()));
    const killedAtMs = performance.now();
    let answered = 0;
    while (performance.now() - killedAtMs < SURELY_FRESH_MS) {
      const answer = await ask({ stream: answered % 2 === 0 });
      expect(answer).toMatchObject({ status: 200, whole: true });
      answered += 1;
      if (answered % 10 === 0) await posted(answer.generationId!);
      await sleep(50);
    }
    expect(answered).toBeGreaterThan(10);

    const stale = await eventually(async () => {
      const answer = await ask();
      return answer.status === 200 ? undefined : answer;
    }, 4 * MAX_AGE_MS);
    expect(stale).toMatchObject({
      status: 503,
      error: { metadata: { custos_code: 'snapshot_stale' } },
    });
    expect(Number(stale.headers.get('retry-after'))).toBeGreaterThan(0);
    const before = await arrived();
    for (let i = 0; i < 5; i += 1) expect((await ask({ stream: true })).status).toBe(503);
    expect(await arrived()).toBe(before);
    // Their last polls were not at the same moment.
    await eventually(async () => {
      const { status, reasons } = await ready();
      const stale = ['principals', 'policy bundle', 'routes'].every((name) => name in reasons);
      return status === 503 && stale ? true : undefined;
    });

    for (const name of ['control', 'policy', 'routing']) app(name).launch();
    await eventually(async () => ((await ask()).status === 200 ? true : undefined), 30_000);
    await Promise.all(['control', 'policy', 'routing'].map((name) => app(name).ready()));
    await expectBothWays();
    expect(await ready()).toEqual({ status: 200, reasons: {} });
  }, 240_000);

  it('without the ledger limited keys go on while their leases last, and are posted when it is back', async () => {
    // One to have the leases at hand.
    await posted((await ask()).generationId!);
    await app('ledger').kill9();
    const answers: Answered[] = [];
    for (let i = 0; i < 20; i += 1) answers.push(await ask({ stream: i % 2 === 0 }));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    // A hold far above what is leased needs the ledger, and says so.
    const large = await ask({ model: 'openai/gpt-4o', more: { max_tokens: 16_000, n: 1 } });
    expect([200, 503]).toContain(large.status);
    if (large.status === 503)
      expect(large.error?.metadata.custos_code).toBe('allowance_unavailable');

    app('ledger').launch();
    await app('ledger').ready();
    for (const { generationId } of answers) await posted(generationId!);
  });

  it('the ingress killed amid streams leaves nothing open for its successor', async () => {
    await fetch(`${simulator.url}/__sim/faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ endpoint: '*', chunks: 100, chunkIntervalMs: 20 }),
    });
    const before = await arrived();
    const cut = Array.from({ length: 20 }, () => completeOrNothing(caller, { stream: true }));
    await eventually(async () => ((await arrived()) >= before + 20 ? true : undefined));
    await app('ingress').kill9();
    await Promise.all(cut);
    await fetch(`${simulator.url}/__sim/faults`, { method: 'DELETE' });
    app('ingress').launch();
    await app('ingress').ready();
    expect((await ask()).status).toBe(200);
    // Its writer is dead by its silence.
    for (const { requestId } of (await requests()).slice(before, before + 20)) {
      const id = requestId.replace(/\.\d+$/, '');
      let seen: unknown;
      await eventually(
        async () => {
          const response = await fetch(`${app('ledger').url}/audit/v1/trails/${id}`, {
            headers: { authorization: `Bearer ${keys.auditorKey}` },
          });
          seen = await response.json();
          return (seen as Trail).status === 'recovered' ? true : undefined;
        },
        40_000,
        () => `${id} is not recovered: ${JSON.stringify(seen)}`,
      );
    }
  }, 90_000);
});

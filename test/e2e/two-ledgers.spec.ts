// Two ledgers side by side: one data plane and one control plane, each ledger with its own log, database, sequencer and
// key. What an organisation does stands in its own ledger and in no other; the death of one leaves the other at work.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openCheckpoint, parsePolicy } from '#libs/transparency';
import { portsToKeep } from '#libs/platform';
import { AppProcess } from '../support/app-process.js';
import { complete, type Caller } from '../support/completions.js';
import { eventually, isPosted, type Bootstrap, type Trail } from '../support/gateway.js';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../support/kafka-cluster.js';
import { freshDatabase, runDirectory, type FreshDatabase } from '../support/postgres.js';
import { startSimulator, type SimulatorProcess } from '../support/simulator.js';
import { onDatabase } from '../support/stage.js';

const START_MS = 240_000;
/** Two cores, eight processes. */
const IN_TIME_MS = 60_000;
const LEDGERS = ['main', 'bank'] as const;
type LedgerName = (typeof LEDGERS)[number];

if (!kafkaIsOffered)
  process.stderr.write(
    '\nNOT RUN: two ledgers on Kafka (needs CUSTOS_TEST_KAFKA=1, Java, Maven)\n',
  );

describe('two ledgers, their logs in PostgreSQL', () => sideBySide(undefined));
(kafkaIsOffered ? describe : describe.skip)('two ledgers, their logs in one Kafka cluster', () =>
  sideBySide(() => startKafkaCluster(1)),
);

function sideBySide(kafka: (() => Promise<KafkaCluster>) | undefined): void {
  const databases = new Map<LedgerName, FreshDatabase>();
  const ledgers = new Map<LedgerName, AppProcess>();
  const callers = new Map<LedgerName, Caller>();
  const others: AppProcess[] = [];
  let cluster: KafkaCluster | undefined;
  let simulator: SimulatorProcess;
  let controlUrl: string;
  let keys: Bootstrap;
  let bankId: string;

  beforeAll(async () => {
    cluster = await kafka?.();
    simulator = await startSimulator();
    for (const name of LEDGERS) databases.set(name, await freshDatabase());
    const dataDir = mkdtempSync(join(runDirectory(), 'two-ledgers-'));
    const [control, policy, routing, main, bank, ingress] = (await portsToKeep(6)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const at = (port: number): string => `http://127.0.0.1:${port}`;
    controlUrl = at(control);
    const environment = {
      CUSTOS_INTERNAL_TOKEN: randomBytes(32).toString('hex'),
      CUSTOS_DIGEST_KEY: randomBytes(32).toString('hex'),
      CUSTOS_DATA_DIR: dataDir,
      CUSTOS_CONTROL_URL: controlUrl,
      CUSTOS_POLICY_URL: at(policy),
      CUSTOS_ROUTING_URL: at(routing),
      CUSTOS_LEDGER_URL: at(main),
      CUSTOS_SIMULATOR_URL: simulator.url,
      CUSTOS_PROVIDERS: 'simulated',
      CUSTOS_SNAPSHOT_POLL: '250ms',
      CUSTOS_LOG_LEVEL: 'warn',
      ...(cluster && { CUSTOS_KAFKA_BROKERS: cluster.brokers.join(',') }),
    };
    const inMain = { ...environment, ...onDatabase(databases.get('main')!) };
    const inBank = {
      ...environment,
      ...onDatabase(databases.get('bank')!),
      CUSTOS_LEDGER_ID: 'bank',
    };
    // Ingress's role in the other log says the traffic alone; what control says there takes the app's.
    const bankAt = (url: string): Record<string, string> => ({
      ...inMain,
      CUSTOS_LEDGERS: `bank=${at(bank)}${cluster ? '' : `|${url}`}`,
    });
    const controls = bankAt(databases.get('bank')!.appUrl);
    const carries = bankAt(databases.get('bank')!.auditUrl);
    const start = (app: string, port: number, variables: Record<string, string>): AppProcess => {
      const made = AppProcess.launch(app, port, variables);
      others.push(made);
      return made;
    };
    ledgers.set('bank', AppProcess.launch('ledger', bank, inBank));
    // It makes the tables of its log; for the rest it waits for control.
    await answers(`${at(bank)}/health/live`);
    await start('control', control, controls).ready();
    ledgers.set('main', AppProcess.launch('ledger', main, inMain));
    const rest = [start('policy', policy, inMain), start('routing', routing, inMain)];
    await Promise.all([...ledgers.values(), ...rest].map((app) => app.ready()));
    await start('ingress', ingress, carries).ready();
    keys = JSON.parse(readFileSync(join(dataDir, 'bootstrap.json'), 'utf8')) as Bootstrap;
    callers.set('main', { v1: `${at(ingress)}/v1`, apiKey: keys.apiKey });
    callers.set('bank', { v1: `${at(ingress)}/v1`, apiKey: await keyInBank() });
    await eventually(
      async () => ((await complete(callers.get('bank')!)).status === 200 ? true : undefined),
      IN_TIME_MS,
    );
  }, START_MS + KAFKA_START_TIMEOUT_MS);
  afterAll(async () => {
    await others.at(-1)?.stop();
    await Promise.all([...ledgers.values(), ...others].map((app) => app.stop()));
    await simulator?.stop();
    await cluster?.stop();
    for (const database of databases.values()) await database.drop();
  }, 120_000);

  async function administer<T>(
    path: string,
    body: object,
    bearer = keys.adminKey,
  ): Promise<{ status: number; body: T }> {
    const response = await fetch(`${controlUrl}/admin/v1/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  async function keyInBank(): Promise<string> {
    const made = async <T>(path: string, body: object): Promise<T> => {
      const answer = await administer<T>(path, body);
      expect([path, answer.status]).toEqual([path, 201]);
      return answer.body;
    };
    const { id: organizationId } = await made<{ id: string }>('organizations', {
      name: 'Bank',
      jurisdiction: 'DE',
      ledgerId: 'bank',
      limitUsd: '100.00',
    });
    bankId = organizationId;
    const { id: workspaceId } = await made<{ id: string }>('workspaces', {
      organizationId,
      name: 'Bank',
    });
    return (await made<{ secret: string }>('keys', { workspaceId, label: 'bank' })).secret;
  }

  const audit = (ledger: LedgerName, path: string): Promise<Response> =>
    fetch(`${ledgers.get(ledger)!.url}${path}`, {
      headers: { authorization: `Bearer ${keys.auditorKey}` },
    });
  const posted = (ledger: LedgerName, id: string): Promise<Trail> =>
    eventually(async () => {
      const response = await audit(ledger, `/audit/v1/trails/${id}`);
      if (response.status !== 200) return undefined;
      const trail = (await response.json()) as Trail;
      return isPosted(trail) ? trail : undefined;
    }, IN_TIME_MS);
  async function generate(ledger: LedgerName): Promise<string> {
    const answer = await complete(callers.get(ledger)!, { stream: true });
    expect(answer).toMatchObject({ status: 200, whole: true });
    return answer.generationId!;
  }
  async function row<T extends object>(ledger: LedgerName, text: string): Promise<T> {
    const client = new pg.Client({ connectionString: databases.get(ledger)!.superuserUrl });
    await client.connect();
    try {
      return (await client.query<T>(text)).rows[0]!;
    } finally {
      await client.end();
    }
  }

  it('each generation is billed in the ledger of its organisation, and in no other', async () => {
    const [ours, theirs] = [await generate('main'), await generate('bank')];
    await Promise.all([posted('main', ours), posted('bank', theirs)]);
    expect((await audit('main', `/audit/v1/trails/${theirs}`)).status).toBe(404);
    expect((await audit('bank', `/audit/v1/trails/${ours}`)).status).toBe(404);
    for (const [ledger, id] of [
      ['main', ours],
      ['bank', theirs],
    ] as const) {
      const { v1, apiKey } = callers.get(ledger)!;
      const headers = { authorization: `Bearer ${apiKey}` };
      expect((await fetch(`${v1}/generation?id=${id}`, { headers })).status).toBe(200);
      const { usage } = ((await (await fetch(`${v1}/key`, { headers })).json()) as { data: never })
        .data;
      expect(usage).toBeGreaterThan(0);
    }
  });

  it('credit is given back by the ledger of its organisation, and the other knows nothing of it', async () => {
    const path = `organizations/${bankId}`;
    const purchase = { amountUsd: '80.00', idempotencyKey: 'first' };
    expect((await administer(`${path}/credits`, purchase)).status).toBe(201);
    const asked = await administer<{ id: string }>(`${path}/refunds`, {
      amountUsd: '5.00',
      reason: 'The bank needs less.',
      idempotencyKey: 'first',
    });
    expect(asked.status).toBe(201);
    const { id } = asked.body;
    const approved = await administer(`refunds/${id}/approve`, {}, keys.approverKey);
    expect(approved.status).toBe(200);
    const refund = await eventually(async () => {
      const response = await audit('bank', `/audit/v1/refunds/${id}`);
      const told = (await response.json()) as { readonly status?: string };
      return response.status === 200 && told.status !== 'approved' ? told : undefined;
    }, IN_TIME_MS);
    expect(refund).toMatchObject({ status: 'granted', amountPicoUsd: '5000000000000' });
    expect((await audit('main', `/audit/v1/refunds/${id}`)).status).toBe(404);
  }, 120_000);

  it('each has its own origin, key and tree: a receipt of one means nothing to the other', async () => {
    const verifiers = new Map<LedgerName, string>();
    for (const ledger of LEDGERS) {
      const found = await row<{ ledger_id: string; verifier_key: string }>(
        ledger,
        'select ledger_id, verifier_key from ledger.log_identity',
      );
      expect(found.ledger_id).toBe(ledger);
      verifiers.set(ledger, found.verifier_key);
    }
    expect(verifiers.get('bank')).toMatch(/^localhost\/audit\/bank\//);
    const id = await generate('bank');
    await posted('bank', id);
    const receipt = await eventually(async () => {
      const response = await audit('bank', `/audit/v1/receipts/${id}`);
      return response.status === 200
        ? ((await response.json()) as { checkpoint: string; ledgerId: string })
        : undefined;
    }, IN_TIME_MS);
    expect(receipt.ledgerId).toBe('bank');
    const trusting = (ledger: LedgerName) =>
      parsePolicy(`log ${verifiers.get(ledger)}\nquorum none\n`);
    expect(openCheckpoint(receipt.checkpoint, trusting('bank')).checkpoint.size).toBeGreaterThan(
      0n,
    );
    expect(() => openCheckpoint(receipt.checkpoint, trusting('main'))).toThrow();
  });

  it('the organisation’s making is in the log of its ledger', async () => {
    const count = async (ledger: LedgerName): Promise<number> =>
      (
        await row<{ n: number }>(
          ledger,
          `select count(*)::int as n from ledger.leaf l join ledger.entry e using (leaf_index)
           where l.type = 'custos.control.changed.v1'
             and convert_from(e.bytes, 'utf8')::json->'data'->>'subject' = '${bankId}'`,
        )
      ).n;
    expect(await count('bank')).toBe(1);
    expect(await count('main')).toBe(0);
  });

  it('a ledger that nobody keeps is refused', async () => {
    const answer = await administer<object>('organizations', {
      name: 'Lost',
      jurisdiction: 'DE',
      ledgerId: 'nowhere',
    });
    expect(answer).toMatchObject({
      status: 404,
      body: { error: { metadata: { custos_code: 'unknown_ledger' } } },
    });
  });

  it('while one sequencer is dead the other goes on; the dead one loses nothing', async () => {
    await ledgers.get('main')!.kill9();
    const theirs = await generate('bank');
    await posted('bank', theirs);
    const ours = await generate('main');
    ledgers.get('main')!.launch();
    await ledgers.get('main')!.ready();
    await posted('main', ours);
  }, 180_000);
}

/** It listens, ready or not. */
const answers = (url: string): Promise<true> =>
  eventually(
    async () => ((await fetch(url).catch(() => undefined))?.status === 200 ? true : undefined),
    START_MS,
  );

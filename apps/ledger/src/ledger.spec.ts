import 'reflect-metadata';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { TOPICS, type EventData, type EventType } from '#libs/audit-events';
import { AuditWriter } from '#libs/audit-log';
import { Lifecycle, Logger } from '#libs/platform';
import {
  closedData,
  COST,
  EventsClock,
  holdOf,
  openedData,
  refusedData,
} from '../../../test/support/ledger-events.js';
import { runDirectory } from '../../../test/support/postgres.js';
import { startLedger as startLedgerProcess } from './ledger-process.js';
import { INTERNAL_TOKEN, LedgerStage } from './ledger-stage.spec-support.js';
import { readLedgerConfig } from './ledger.config.js';
import type { Ledger } from './ledger.js';

const SILENT_MS = 900;
const HEARTBEAT_MS = 100;

let stage: LedgerStage;
/** Beside the stage's own, in the order in which they were started. */
const ledgers: Ledger[] = [];

beforeEach(async () => {
  stage = await LedgerStage.open(undefined, new EventsClock(), 10n * COST);
});

afterEach(async () => {
  for (const ledger of ledgers.splice(0).toReversed()) await ledger.close();
  await stage.close();
});

const writer = (app: string): Promise<AuditWriter> => stage.writer(app, TOPICS.audit, HEARTBEAT_MS);

const settings = async () => ({
  audit: await writer('ledger'),
  writerSilentMs: SILENT_MS,
  checkpointMs: 50,
});

const startLedger = async (): Promise<Ledger> => stage.startLedger(await settings());

/** A further process over the same database. */
async function alongside(): Promise<Ledger> {
  const ledger = await stage.alongside(await settings());
  ledgers.push(ledger);
  return ledger;
}

const say = <T extends EventType>(to: AuditWriter, type: T, subject: string, data: EventData[T]) =>
  stage.say(to, type, subject, data);

const versionsOf = () => ({ ...openedData('x').versions, priceBook: stage.book.version });
const newId = (): string => stage.newId();

async function until<T>(what: () => Promise<T | undefined>, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error('it did not come true in time');
    await sleep(20);
  }
}

const settled = (ledger: Ledger, id: string) =>
  until(async () => {
    const trail = await ledger.trails.trail(id);
    return trail?.steps.some((s) => s.step === 'rated') ? trail : undefined;
  });

describe('over HTTP', () => {
  let ledger: Ledger;

  beforeEach(async () => {
    ledger = await startLedger();
  });

  const get = async (path: string, secret = '') => {
    const answer = await stage.get(path, secret);
    return { status: answer.status, body: answer.json<unknown>() };
  };

  it('shows an auditor the trail and the caller its own generation and key', async () => {
    const ingress = await writer('ingress');
    const id = newId();
    await say(
      ingress,
      'custos.generation.opened.v1',
      id,
      openedData(id, { versions: versionsOf() }),
    );
    await say(ingress, 'custos.generation.closed.v1', id, closedData(id));
    await settled(ledger, id);
    const trail = await get(`/audit/v1/trails/${id}`, stage.auditorKey);
    expect(trail).toMatchObject({
      status: 200,
      body: { id, status: 'completed', cost: { amountPicoUsd: COST.toString() } },
    });
    const list = await get('/audit/v1/trails?model=acme/one&status=completed', stage.auditorKey);
    expect(list.body).toMatchObject({ data: [{ id }], nextCursor: null });
    expect(await get(`/api/v1/generation?id=${id}`, stage.callerKey)).toMatchObject({
      status: 200,
      body: {
        data: {
          id,
          total_cost: 0.0003,
          provider_name: 'acme',
          tokens_prompt: 100,
          latency: expect.any(Number),
        },
      },
    });
    expect((await get(`/v1/generation?id=${id}`, stage.otherKey)).status).toBe(404);
    expect(await get('/v1/key', stage.callerKey)).toMatchObject({
      status: 200,
      body: { data: { usage: 0.0003, usage_daily: 0.0003, limit: 0.003, limit_remaining: 0.0027 } },
    });
  });

  it('keeps others out and names what is wrong', async () => {
    const id = newId();
    expect((await get(`/audit/v1/trails/${id}`)).status).toBe(401);
    expect((await get(`/audit/v1/trails/${id}`, stage.callerKey)).status).toBe(403);
    expect((await get('/api/v1/key', stage.auditorKey)).status).toBe(403);
    expect(await get(`/audit/v1/trails/${id}`, stage.auditorKey)).toMatchObject({
      status: 404,
      body: { error: { code: 404, metadata: { custos_code: 'trail_not_found' } } },
    });
    for (const [query, parameter] of [
      ['limit=0', 'limit'],
      ['limit=201', 'limit'],
      ['status=done', 'status'],
      ['from=yesterday', 'from'],
      // Well-formed, and nothing that PostgreSQL reads.
      ['from=0000-01-01T00:00:00Z', 'from'],
      ['to=9999-12-31T23:59:59-10:00', 'to'],
      ['from=2026-11-22T00:00:00Z&to=2026-11-21T00:00:00Z', 'from'],
      ['colour=red', 'colour'],
      ['key=a&key=b', 'key'],
    ])
      expect(await get(`/audit/v1/trails?${query}`, stage.auditorKey)).toMatchObject({
        status: 400,
        body: { error: { metadata: { custos_code: 'invalid_filter', parameter } } },
      });
    const forged = Buffer.from(`2026-02-30T00:00:00.000Z|${id}`).toString('base64url');
    for (const cursor of ['abc', forged])
      expect(await get(`/audit/v1/trails?cursor=${cursor}`, stage.auditorKey)).toMatchObject({
        status: 400,
        body: { error: { metadata: { custos_code: 'bad_cursor' } } },
      });
  });

  it('takes a time of any place, also where PostgreSQL knows none so far away', async () => {
    const ask = (query: string) => get(`/audit/v1/trails?${query}`, stage.auditorKey);
    expect(await ask('from=2020-01-01T00:00:00%2B23:00')).toMatchObject({ status: 200 });
  });

  it('grants leases to our own processes', async () => {
    const ask = async (token: string, neededPicoUsd: bigint) => {
      const response = await fetch(`${stage.url}/internal/v1/leases`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          leaseId: `lease-${neededPicoUsd}`,
          writer: 'ingress-1',
          scope: { scope: 'key', id: 'key-1' },
          neededPicoUsd: neededPicoUsd.toString(),
          wantedPicoUsd: neededPicoUsd.toString(),
        }),
      });
      return { status: response.status, body: (await response.json()) as unknown };
    };
    expect((await ask('some-other-token-of-16', COST)).status).toBe(401);
    expect(await ask(INTERNAL_TOKEN, 8n * COST)).toMatchObject({
      status: 200,
      body: { granted: true, lease: { grantedPicoUsd: (8n * COST).toString() } },
    });
    expect(await ask(INTERNAL_TOKEN, 3n * COST)).toEqual({
      status: 200,
      body: {
        granted: false,
        remainingPicoUsd: (2n * COST).toString(),
        limitPicoUsd: (10n * COST).toString(),
        heldPicoUsd: (8n * COST).toString(),
        boundBy: 'limit',
      },
    });
  });
});

describe('after a crash', () => {
  /** A writer that says these things and is never heard again. */
  async function crashed(...said: readonly Parameters<WriterSays>[]): Promise<string> {
    const dead = new AuditWriter({
      log: stage.log,
      topic: TOPICS.audit,
      app: 'ingress',
      clock: stage.clock,
      heartbeatMs: 3_600_000,
    });
    await dead.start();
    for (const [type, subject, data] of said) await say(dead, type, subject, data);
    return dead.writerId;
  }
  type WriterSays = (type: EventType, subject: string, data: EventData[EventType]) => void;

  it('closes what a silent writer left open, bills its progress and frees its holds', async () => {
    const ledger = await startLedger();
    const living = await writer('ingress');
    const [streamed, unknown, alive] = [newId(), newId(), newId()] as [string, string, string];
    const lease = await ledger.allowance.lease({
      leaseId: 'lease-x',
      writer: 'x',
      scope: { scope: 'key', id: 'key-1' },
      neededPicoUsd: 2n * COST,
      wantedPicoUsd: 2n * COST,
    });
    if (!lease.granted) throw new Error('no lease');
    const hold = holdOf(COST, lease.lease.leaseId);
    await say(
      living,
      'custos.generation.opened.v1',
      alive,
      openedData(alive, { versions: versionsOf() }),
    );
    const dead = await crashed(
      [
        'custos.generation.opened.v1',
        streamed,
        openedData(streamed, { versions: versionsOf(), hold }),
      ],
      [
        'custos.generation.opened.v1',
        unknown,
        openedData(unknown, { versions: versionsOf(), hold }),
      ],
      [
        'custos.generation.progress.v1',
        streamed,
        {
          generationId: streamed,
          at: new Date(stage.clock.nowMs()).toISOString(),
          attempt: 1,
          outputTokens: 7,
        },
      ],
    );
    expect(await settled(ledger, streamed)).toMatchObject({
      status: 'recovered',
      usage: { inputTokens: 100, outputTokens: 7, basis: 'progress' },
      cost: { amountPicoUsd: '128000000' },
      flags: ['provider_may_bill_more'],
    });
    expect(await settled(ledger, unknown)).toMatchObject({
      status: 'recovered',
      cost: { amountPicoUsd: '0' },
      attempts: [{ outcome: 'unknown' }],
      flags: ['provider_may_bill_more', 'usage_unknown'],
      postings: [],
    });
    expect(await ledger.trails.trail(alive)).toMatchObject({ status: 'open' });
    expect(await ledger.balances.usageOf('key', 'key-1')).toMatchObject({
      postedPicoUsd: 128_000_000n,
      heldPicoUsd: 0n,
    });
    // The dead writer cannot come back on this log.
    await expect(
      stage.log.appendBatch({
        topic: TOPICS.audit,
        partition: 0,
        writer: dead,
        firstWseq: 4,
        values: [Buffer.from('{}')],
      }),
    ).rejects.toMatchObject({ code: 'writer_retired' });
  });

  it('retires writers of an earlier boot at once when told so', async () => {
    const id = newId();
    await crashed(['custos.generation.opened.v1', id, openedData(id, { versions: versionsOf() })]);
    // The log's time of arrival is the database's.
    const bootMs = Date.now() + 1;
    await sleep(5);
    // Nobody is silent for long enough: only who is told so retires a writer.
    const ledger = await stage.startLedger({ ...(await settings()), writerSilentMs: 3_600_000 });
    await until(async () => (ledger.consumer.role === 'leader' ? true : undefined));
    await ledger.retireWriters({ except: [], seenBeforeMs: bootMs });
    expect(await settled(ledger, id)).toMatchObject({ status: 'recovered' });
  });
});

describe('the sequencer', () => {
  it('has a standby that goes on where it ended', async () => {
    const ingress = await writer('ingress');
    const first = await alongside();
    await until(async () => (first.consumer.role === 'leader' ? true : undefined));
    const second = await alongside();
    await until(async () => (second.consumer.role === 'standby' ? true : undefined));
    const ids = [newId(), newId()] as [string, string];
    const post = async (id: string): Promise<void> => {
      await say(
        ingress,
        'custos.generation.opened.v1',
        id,
        openedData(id, { versions: versionsOf() }),
      );
      await say(ingress, 'custos.generation.closed.v1', id, closedData(id));
      await settled(second, id);
    };
    await post(ids[0]);
    await first.close();
    await until(async () => (second.consumer.role === 'leader' ? true : undefined));
    await post(ids[1]);
    expect(await second.balances.usageOf('key', 'key-1')).toMatchObject({
      postedPicoUsd: 2n * COST,
    });
  });

  it('takes up its work when the database cuts the connection', async () => {
    const ingress = await writer('ingress');
    const ledger = await startLedger();
    await until(async () => (ledger.consumer.role === 'leader' ? true : undefined));
    const superuser = new pg.Client({ connectionString: stage.database.superuserUrl });
    await superuser.connect();
    await superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name in ('custos ledger sequencer', 'custos log consume')`,
    );
    await superuser.end();
    const id = newId();
    await say(
      ingress,
      'custos.generation.opened.v1',
      id,
      openedData(id, { versions: versionsOf() }),
    );
    await say(ingress, 'custos.generation.closed.v1', id, closedData(id));
    expect(await settled(ledger, id)).toMatchObject({ status: 'completed' });
  });

  it('halts and says why when the log ends before the fence', async () => {
    const owner = new pg.Client({ connectionString: stage.database.ownerUrl });
    await owner.connect();
    await owner.query(
      `insert into ledger.source_offset (log_id, topic, partition, next_offset) values ($1, $2, 0, 99)`,
      [stage.log.id, TOPICS.audit],
    );
    await owner.end();
    const ledger = await startLedger();
    await until(async () => (ledger.consumer.role === 'halted' ? true : undefined));
    expect(await ledger.fault()).toMatch(
      /records are missing: the log ends before the fence, topic custos\.audit\.v1, partition 0, expected 99/,
    );
  });

  it('keeps a trail of a refusal', async () => {
    const ingress = await writer('ingress');
    const ledger = await startLedger();
    const id = newId();
    await say(ingress, 'custos.generation.refused.v1', id, refusedData(id));
    const trail = await until(async () => ledger.trails.trail(id));
    expect(trail).toMatchObject({ status: 'refused', policy: { decision: 'forbid' } });
  });
});

describe('as a process of its own', () => {
  it('migrates, leads, answers on its port and goes down in order', async () => {
    const lifecycle = new Lifecycle(new Logger({ app: 'test', level: 'error' }));
    const http = await startLedgerProcess(
      readLedgerConfig({
        PORT: '0',
        CUSTOS_METRICS_PORT: '0',
        CUSTOS_DATABASE_URL: stage.database.appUrl,
        CUSTOS_MIGRATION_DATABASE_URL: stage.database.ownerUrl,
        CUSTOS_INTERNAL_TOKEN: INTERNAL_TOKEN,
        CUSTOS_CONTROL_URL: 'http://127.0.0.1:9',
        CUSTOS_LOG_LEVEL: 'error',
        CUSTOS_DATA_DIR: join(runDirectory(), `ledger-${stage.database.name}`),
      }),
      lifecycle,
    );
    const status = await until(async () => {
      const response = await fetch(`${http.url}/internal/v1/ledger`, {
        headers: { authorization: `Bearer ${INTERNAL_TOKEN}` },
      });
      const body = (await response.json()) as { role: string; recordsBehind: string };
      return body.role === 'leader' && body.recordsBehind === '0' ? body : undefined;
    });
    expect(status).toEqual({
      role: 'leader',
      recordsBehind: '0',
      publishedSize: expect.any(String),
      witnesses: [],
    });
    expect((await fetch(`${http.url}/health/ready`)).status).toBe(200);
    expect(await lifecycle.shutdown('test')).toBe(true);
  });

  it('names every fault of its configuration at once', () => {
    const wrong = { PORT: 'x', CUSTOS_WRITER_SILENT: 'soon' };
    for (const variable of ['PORT', 'CUSTOS_DATABASE_URL', 'CUSTOS_WRITER_SILENT'])
      expect(() => readLedgerConfig(wrong)).toThrow(new RegExp(`^[^]*${variable}: `));
  });
});

import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { TOPICS } from '#libs/audit-events';
import { AuditWriter, type EventAppender } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import { graceEndsMs, monthAfter, monthOf } from '#libs/ledger';
import { ledgerMigrations, SayQueries, SweepQueries } from '#libs/ledger-store';
import { Logger, runMigrations } from '#libs/platform';
import { closedData, completed, COST, openedData } from '../../../../test/support/ledger-events.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { Announcer } from './announcer.js';

const DAY_MS = 86_400_000;
const HELD_MS = 30_000;

let stage: LedgerStage;
let pool: pg.Pool;
let voice: AuditWriter;

beforeEach(async () => {
  stage = await LedgerStage.open();
  await stage.startLedger();
  pool = new pg.Pool({ connectionString: stage.database.appUrl, max: 4 });
  pool.on('error', () => undefined);
  voice = await open(TOPICS.ledger, 'ledger');
}, 60_000);

afterEach(async () => {
  for (const writer of opened.splice(0)) await writer.stop();
  await pool.end();
  await stage.close();
}, 60_000);

const opened: AuditWriter[] = [];
async function open(
  topic: (typeof TOPICS)[keyof typeof TOPICS],
  app: string,
  clock = stage.clock,
): Promise<AuditWriter> {
  const writer = new AuditWriter({ log: stage.log, topic, app, clock });
  await writer.start();
  opened.push(writer);
  return writer;
}

const announcer = (said: EventAppender = voice): Announcer =>
  new Announcer({
    consumer: stage.ledger.consumer,
    queries: new SayQueries(pool),
    positions: new SweepQueries(pool),
    log: stage.log,
    voice: said,
    clock: stage.clock,
    logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
  });

async function announceAll(by = announcer()): Promise<number> {
  await caughtUp();
  let said = 0;
  for (let now = await by.announce(); now > 0; now = await by.announce()) {
    said += now;
    await caughtUp();
  }
  return said;
}

async function caughtUp(): Promise<void> {
  if (!(await stage.ledger.caughtUp(stage.log, HELD_MS))) throw new Error('not caught up');
}

/** What the ledger said in the log, by type. */
const said = async (type: string) =>
  (
    await pool.query<{ data: Record<string, unknown> }>(
      `select convert_from(e.bytes, 'UTF8')::json -> 'data' as data
       from ledger.leaf l join ledger.entry e using (leaf_index) where l.type = $1 order by leaf_index`,
      [type],
    )
  ).rows.map((r) => r.data);

async function differing(writer: AuditWriter, reportedCostPicoUsd: string): Promise<string> {
  const id = stage.newId();
  const versions = { ...openedData(id).versions, priceBook: stage.book.version };
  await stage.say(writer, 'custos.generation.opened.v1', id, openedData(id, { versions }));
  const usage = {
    inputTokens: 100,
    outputTokens: 50,
    basis: 'reported' as const,
    reportedCostPicoUsd,
  };
  await stage.say(
    writer,
    'custos.generation.closed.v1',
    id,
    closedData(id, { attempts: [completed(id, usage)] }),
  );
  return id;
}

/** The log stays, the ledger's tables are made anew. */
async function forgetBooks(): Promise<void> {
  const url = stage.database.ownerUrl;
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  await owner.query('drop schema ledger cascade');
  await owner.query('delete from ledger_migrations');
  await owner.end();
  await runMigrations({ url, migrations: ledgerMigrations, tableName: 'ledger_migrations' });
}

describe('a provider’s own cost figure', () => {
  const TYPE = 'custos.ledger.cost_differed.v1';

  it('further from ours than tolerated is said once in the log, and rated never', async () => {
    const ingress = await stage.writer('ingress');
    const same = await differing(ingress, COST.toString());
    const other = await differing(ingress, (2n * COST).toString());
    expect(await announceAll()).toBe(1);
    expect(await said(TYPE)).toMatchObject([
      {
        generationId: other,
        attempt: 1,
        provider: 'acme',
        computedPicoUsd: COST.toString(),
        reportedPicoUsd: (2n * COST).toString(),
      },
    ]);
    expect(await announceAll()).toBe(0);
    const trailOf = (id: string) => stage.ledger.trails.trail(id);
    expect(await trailOf(other)).toMatchObject({ flags: ['cost_differs'] });
    expect((await trailOf(same))?.['flags']).toBeUndefined();
    expect((await trailOf(other))?.postings).toHaveLength(4);
  }, 60_000);

  it('is not said again by who comes after, nor by a replay of the log from nothing', async () => {
    const ingress = await stage.writer('ingress');
    await differing(ingress, '0');
    expect(await announceAll()).toBe(1);
    await stage.stopLedger();
    await stage.startLedger();
    expect(await announceAll(announcer(await open(TOPICS.ledger, 'ledger')))).toBe(0);
    await stage.stopLedger();
    await forgetBooks();
    await stage.startLedger();
    expect(await announceAll()).toBe(0);
    expect(await said(TYPE)).toHaveLength(1);
  }, 60_000);

  it('stays owed while the log does not take it', async () => {
    const ingress = await stage.writer('ingress');
    await differing(ingress, '0');
    await caughtUp();
    const mute = {
      appendAll: () => Promise.reject(new Error('no acknowledgement')),
    } as unknown as EventAppender;
    await expect(announcer(mute).announce()).rejects.toThrow('no acknowledgement');
    expect(await announceAll()).toBe(1);
  }, 60_000);
});

describe('a month', () => {
  const TYPE = 'custos.ledger.period_closed.v1';

  class ThenClock extends SystemClock {
    constructor(private readonly agoMs: number) {
      super();
    }
    override nowMs(): number {
      return super.nowMs() - this.agoMs;
    }
  }

  it('closes once its grace time is over, and takes nothing more', async () => {
    const past = new ThenClock(100 * DAY_MS);
    const writer = await open(TOPICS.audit, 'ingress', past);
    const then = new Date(past.nowMs()).toISOString();
    const close = async (id: string, by: AuditWriter): Promise<void> => {
      const versions = { ...openedData(id).versions, priceBook: stage.book.version };
      const data = openedData(id, { versions, receivedAt: then });
      await stage.say(by, 'custos.generation.opened.v1', id, data);
      await stage.say(by, 'custos.generation.closed.v1', id, closedData(id, { at: then }));
    };
    await close(stage.newId(), writer);
    const first = monthOf(then);
    const dueNow = (): string[] => {
      const months: string[] = [];
      for (let m = first; graceEndsMs(m) <= Date.now(); m = monthAfter(m)) months.push(m);
      return months;
    };
    // A grace time may end at this very moment: then both are right.
    const before = dueNow();
    const announced = await announceAll();
    const due = (await said(TYPE)).map((d) => String(d['period']));
    expect([before, dueNow()]).toContainEqual(due);
    expect(due.length).toBeGreaterThan(1);
    expect(announced).toBe(due.length);
    // A record that was on its way all the time, and one that says only now what happened then.
    await close(stage.newId(), writer);
    await close(stage.newId(), await stage.writer('ingress-late'));
    await caughtUp();
    const { rows } = await pool.query<{ period: string; effective: string }>(
      `select period, to_char(effective_at at time zone 'UTC', 'YYYY-MM') as effective
       from ledger.journal order by id`,
    );
    const open_ = monthAfter(due.at(-1)!);
    expect(rows).toEqual([
      { period: first, effective: first },
      { period: open_, effective: first },
      { period: open_, effective: first },
    ]);
    const more = await announceAll();
    expect([0, dueNow().length - due.length]).toContain(more);
  }, 60_000);

  it.each([
    ['a writer that has ended', 'stopped'],
    ['every writer, ended or not', 'true'],
  ])(
    'does not close the years until the stamp that the log once gave %s',
    async (_, whose) => {
      const writer = await open(TOPICS.audit, 'ingress', new ThenClock(100 * DAY_MS));
      await stage.complete(writer);
      const ended = await stage.writer('ingress-ended');
      await ended.stop();
      await caughtUp();
      const owner = new pg.Client({ connectionString: stage.database.superuserUrl });
      await owner.connect();
      const { rowCount } = await owner.query(
        `update ledger.writer_high_water set last_seen_at = now() + interval '10 years' where ${whose}`,
      );
      await owner.end();
      expect(rowCount).toBeGreaterThan(0);
      await announceAll();
      const closed = (await said(TYPE)).map((d) => String(d['period']));
      expect(closed.filter((month) => graceEndsMs(month) > Date.now())).toEqual([]);
    },
    60_000,
  );

  it('waits for what has no price yet', async () => {
    const writer = await open(TOPICS.audit, 'ingress', new ThenClock(100 * DAY_MS));
    await stage.complete(writer);
    const id = stage.newId();
    const data = openedData(id, { receivedAt: closedData(id).at });
    await stage.say(writer, 'custos.generation.opened.v1', id, data);
    const before = new Date(stage.clock.nowMs() - 100 * DAY_MS).toISOString();
    await stage.say(writer, 'custos.generation.closed.v1', id, closedData(id, { at: before }));
    const control = await open(TOPICS.control, 'control', new ThenClock(100 * DAY_MS));
    await stage.say(control, 'custos.ledger.credit.v1', 'credit', {
      creditId: 'credit-1',
      organisationId: 'org-1',
      at: before,
      amountPicoUsd: '5',
      feePicoUsd: '1',
      fee: { basisPoints: 0, minimumPicoUsd: '1' },
      author: 'key:a',
    });
    expect(await announceAll()).toBe(0);
  }, 60_000);

  it('waits for what nobody saw end and has no price yet, though its end was noted in the next', async () => {
    const month = monthOf(new Date(stage.clock.nowMs() - 100 * DAY_MS).toISOString());
    const turnMs = Date.parse(`${monthAfter(month)}-01T00:00:00.000Z`);
    const [last, noted] = [-5_000, 5_000].map((ms) => new Date(turnMs + ms).toISOString());
    const turn = new ThenClock(stage.clock.nowMs() - turnMs - 5_000);
    const writer = await open(TOPICS.audit, 'ingress', turn);
    const known = stage.newId();
    const versions = { ...openedData(known).versions, priceBook: stage.book.version };
    const priced = openedData(known, { versions, receivedAt: last! });
    await stage.say(writer, 'custos.generation.opened.v1', known, priced);
    const ended = closedData(known, { at: last! });
    await stage.say(writer, 'custos.generation.closed.v1', known, ended);
    const id = stage.newId();
    const unpriced = openedData(id, { receivedAt: last! });
    await stage.say(writer, 'custos.generation.opened.v1', id, unpriced);
    const recovered = closedData(id, { at: noted!, status: 'recovered' });
    await stage.say(writer, 'custos.generation.closed.v1', id, recovered);
    expect(await announceAll()).toBe(0);
  }, 60_000);
});

describe('credit', () => {
  it('is told to the caller; what an invoice asks for was not paid out of it', async () => {
    const control = await open(TOPICS.control, 'control');
    await stage.say(control, 'custos.ledger.credit.v1', 'credit-1', {
      creditId: 'credit-1',
      organisationId: 'org-1',
      at: new Date().toISOString(),
      amountPicoUsd: '25000000000000',
      feePicoUsd: '1380000000000',
      fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
      author: 'key:a',
    });
    await stage.complete(await stage.writer('ingress'));
    await caughtUp();
    expect((await stage.get('/api/v1/credits', stage.callerKey)).json()).toEqual({
      data: { total_credits: 25, total_usage: 0 },
    });
  }, 60_000);
});

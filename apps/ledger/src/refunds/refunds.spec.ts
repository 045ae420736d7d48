// From what two persons asked for to what is posted, through whatever fails in between; and what the API shows of it.
import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import pg from 'pg';
import { TOPICS, type RefundOf } from '#libs/audit-events';
import type { AuditWriter, EventAppender } from '#libs/audit-log';
import { DomainError } from '#libs/kernel';
import { ledgerMigrations, Refunds } from '#libs/ledger-store';
import { Logger, runMigrations } from '#libs/platform';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import { RefundDecider } from './refund-decider.js';

const ORGANISATION = 'org-1';
const BOUGHT = 25_000_000_000_000n;
const FEE = 1_380_000_000_000n;
const HALF = { amountPicoUsd: (BOUGHT / 2n).toString() };
const GRANTED = 'custos.ledger.refund_granted.v1';
const DECLINED = 'custos.ledger.refund_declined.v1';

let stage: LedgerStage;
let pool: pg.Pool;
let control: AuditWriter;
let voice: AuditWriter;

beforeEach(async () => {
  stage = await LedgerStage.open();
  // Without a voice of its own: when something is decided and said is up to the spec.
  await stage.startLedger();
  pool = new pg.Pool({ connectionString: stage.database.appUrl, max: 4 });
  pool.on('error', () => undefined);
  control = await stage.writer('control', TOPICS.control);
  voice = await stage.writer('ledger', TOPICS.ledger);
}, 60_000);
afterEach(async () => {
  await pool.end();
  await stage.close();
}, 60_000);

const decider = (by: EventAppender = voice): RefundDecider =>
  new RefundDecider({
    consumer: stage.ledger.consumer,
    refunds: new Refunds(pool),
    log: stage.log,
    voice: by,
    clock: stage.clock,
    logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    patienceMs: 0,
  });

const now = (): string => new Date(stage.clock.nowMs()).toISOString();

const buy = (creditId: string) =>
  stage.say(control, 'custos.ledger.credit.v1', ORGANISATION, {
    creditId,
    organisationId: ORGANISATION,
    at: now(),
    amountPicoUsd: BOUGHT.toString(),
    feePicoUsd: FEE.toString(),
    fee: { basisPoints: 550, minimumPicoUsd: '800000000000' },
    author: 'key:a',
  });

const ask = (refundId: string, of: RefundOf) =>
  stage.say(control, 'custos.ledger.refund.v1', ORGANISATION, {
    refundId,
    organisationId: ORGANISATION,
    at: now(),
    author: 'key:a',
    approver: 'key:b',
    reason: 'the customer leaves',
    of,
  });

const said = async (type: string) =>
  (
    await pool.query<{ data: Record<string, unknown> }>(
      `select convert_from(e.bytes, 'UTF8')::json -> 'data' as data
       from ledger.leaf l join ledger.entry e using (leaf_index) where l.type = $1 order by leaf_index`,
      [type],
    )
  ).rows.map((r) => r.data);

/** The account in the books, and what admission goes by: what is left, and what of that is reserved. */
const credit = async () => {
  const { rows } = await pool.query<{ account: string; left: string; held: string }>(
    `select - sum(p.amount) as account,
       (select - posted from ledger.period_balance where scope_id = $1 and period = 'prepaid') as left,
       (select held from ledger.period_balance where scope_id = $1 and period = 'prepaid') as held
     from ledger.posting p join ledger.account a on a.id = p.account_id where a.name = $2`,
    [ORGANISATION, `customer:${ORGANISATION}:prepaid`],
  );
  const { account, left, held } = rows[0]!;
  return { account: BigInt(account), left: BigInt(left), held: BigInt(held) };
};
const LEFT = { account: BOUGHT / 2n, left: BOUGHT / 2n, held: 0n };
const RESERVED = { account: BOUGHT, left: BOUGHT, held: BOUGHT / 2n };

/** Into which it was posted: by now it may be over. */
async function monthOfRefund(): Promise<string> {
  const { rows } = await pool.query<{ period: string }>(
    `select period from ledger.journal where kind = 'refund'`,
  );
  return rows[0]!.period;
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

const failing = (append: EventAppender['append']): EventAppender =>
  ({ append, accepting: true, writerId: voice.writerId }) as unknown as EventAppender;

describe('a refund that two persons asked for', () => {
  beforeEach(async () => {
    await buy('credit-1');
    await ask('refund-1', HALF);
    await stage.settled();
  });

  it('is decided, said, posted and shown', async () => {
    const one = async () => (await stage.get('/audit/v1/refunds/refund-1')).json();
    expect(await one()).toMatchObject({ status: 'approved', of: HALF, author: 'key:a' });
    expect(await decider().decideDue()).toBe(1);
    await stage.settled();
    expect(await credit()).toEqual(LEFT);
    expect(await decider().decideDue()).toBe(0);
    expect(await one()).toMatchObject({
      status: 'granted',
      amountPicoUsd: HALF.amountPicoUsd,
      feePicoUsd: '0',
      approver: 'key:b',
      reason: 'the customer leaves',
    });
    expect((await stage.get('/api/v1/credits', stage.callerKey)).json()).toEqual({
      data: { total_credits: 12.5, total_usage: 0 },
    });
    const month = await monthOfRefund();
    const invoice = await stage.get(`/audit/v1/invoices/${ORGANISATION}/${month}`);
    expect(invoice.json()).toMatchObject({
      statement: {
        refunds: [{ amountPicoUsd: HALF.amountPicoUsd, feePicoUsd: '0', approver: 'key:b' }],
        prepaid: { refundedPicoUsd: HALF.amountPicoUsd, usedPicoUsd: '0' },
      },
    });
  }, 120_000);

  it('keeps its reservation through a crash before its record, and is said by who comes after', async () => {
    const mute = failing(() => Promise.reject(new Error('no acknowledgement')));
    await expect(decider(mute).decideDue()).rejects.toThrow('no acknowledgement');
    await stage.settled();
    expect(await credit()).toEqual(RESERVED);
    await stage.stopLedger();
    await stage.startLedger();
    await stage.settled();
    expect(await credit()).toEqual(RESERVED);
    expect(await decider().decideDue()).toBe(1);
    await stage.settled();
    expect(await said(GRANTED)).toHaveLength(1);
    expect(await credit()).toEqual(LEFT);
  }, 120_000);

  it('is posted once where the record is in the log and its acknowledgement was lost', async () => {
    const lossy = failing(async (...record) => {
      await voice.append(...record);
      throw new Error('no acknowledgement');
    });
    await expect(decider(lossy).decideDue()).rejects.toThrow('no acknowledgement');
    expect(await decider().decideDue()).toBe(0);
    await stage.settled();
    expect(await said(GRANTED)).toHaveLength(1);
    expect(await credit()).toEqual(LEFT);
  }, 120_000);

  it('is posted once where the ledger died between its record and the posting', async () => {
    const verdict = (await new Refunds(pool).judge('refund-1', stage.clock.nowMs(), 0))!;
    await stage.stopLedger();
    const { decision, ...data } = verdict;
    if (!decision.granted) throw new Error(decision.why);
    const { amountPicoUsd, feePicoUsd } = decision;
    await stage.say(voice, GRANTED, ORGANISATION, { ...data, amountPicoUsd, feePicoUsd });
    expect(await credit()).toEqual(RESERVED);
    await stage.startLedger();
    expect(await decider().decideDue()).toBe(0);
    await stage.settled();
    expect(await credit()).toEqual(LEFT);
  }, 120_000);

  it('is not said again by a replay of the log from nothing, and gives the same books', async () => {
    await ask('refund-2', { amountPicoUsd: BOUGHT.toString() });
    await stage.settled();
    expect(await decider().decideDue()).toBe(2);
    await stage.settled();
    expect(await said(DECLINED)).toMatchObject([
      { refundId: 'refund-2', why: 'not_enough_credit' },
    ]);
    const shown = async () => {
      const { data } = (await stage.get('/audit/v1/refunds')).json<{ data: object[] }>();
      return data.map((r) => ({ ...r, askedLeaf: '', decidedLeaf: '' }));
    };
    const before = await shown();
    await stage.stopLedger();
    await forgetBooks();
    await stage.startLedger();
    expect(await decider().decideDue()).toBe(0);
    await stage.settled();
    expect(await credit()).toEqual(LEFT);
    expect(await shown()).toEqual(before);
    expect(await said(GRANTED)).toHaveLength(1);
  }, 120_000);

  it('is not said for ever where what is said does not reach the books', async () => {
    // As the decision of a later version might be: acknowledged, and no decision to this one.
    let told = 0;
    const mumbling = failing(async () => {
      told++;
      return { topic: TOPICS.ledger, partition: 0, offset: 0n, acknowledgedAtMs: 0 };
    });
    const one = decider(mumbling);
    expect([await one.decideDue(), await one.decideDue(), await one.decideDue()]).toEqual([
      1, 0, 0,
    ]);
    expect(told).toBe(1);
    expect((await credit()).held).toBe(RESERVED.held);
  }, 120_000);

  it('is said once where the log does not answer: it stays in line', async () => {
    let told = 0;
    const silent = failing(() => {
      told++;
      return Promise.reject(new DomainError('log_unavailable', 'not acknowledged in time'));
    });
    const one = decider(silent);
    expect([await one.decideDue(), await one.decideDue()]).toEqual([1, 0]);
    expect(told).toBe(1);
  }, 120_000);

  it('waits ten minutes for credit in use from its first look on, whatever kept it from looking', async () => {
    const asked: boolean[] = [];
    let monotonicMs = 5_000;
    const waiting = new RefundDecider({
      consumer: { role: 'leader', caughtUp: async () => true },
      refunds: {
        undecided: async (after: string) => (after === '' ? ['refund-1'] : []),
        judge: async (_id: string, _nowMs: number, patienceMs: number) => {
          asked.push(patienceMs > 0);
          return undefined;
        },
      } as unknown as Refunds,
      log: stage.log,
      voice,
      clock: { nowMs: () => Date.now(), monotonicMs: () => monotonicMs },
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    });
    for (const passMs of [0, 599_000, 1_000]) {
      monotonicMs += passMs;
      await waiting.decideDue();
    }
    expect(asked).toEqual([true, true, false]);
  }, 120_000);

  it('is said by the leader alone, and only once everything is in the books', async () => {
    const behind = new RefundDecider({
      consumer: { role: 'leader', caughtUp: async () => false },
      refunds: new Refunds(pool),
      log: stage.log,
      voice,
      clock: stage.clock,
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    });
    expect(await behind.decideDue()).toBe(0);
    const standby = await stage.alongside();
    const other = new RefundDecider({
      consumer: standby.consumer,
      refunds: new Refunds(pool),
      log: stage.log,
      voice,
      clock: stage.clock,
      logger: new Logger({ app: 'spec', level: 'error', write: () => undefined }),
    });
    expect(await other.decideDue()).toBe(0);
    await standby.close();
    expect((await credit()).held).toBe(0n);
  }, 120_000);

  it('by the ledger’s own voice is decided without being told to', async () => {
    await stage.stopLedger();
    await stage.startLedger({ voice });
    await stage.until(async () => {
      const answer = await stage.get('/audit/v1/refunds/refund-1');
      return answer.json<{ status: string }>().status === 'granted';
    });
    expect(await credit()).toEqual(LEFT);
  }, 120_000);
});

describe('the list of refunds', () => {
  it('goes by pages, newest first, for auditors and administrators', async () => {
    for (const n of [1, 2, 3]) await ask(`refund-${n}`, HALF);
    await stage.settled();
    const ids = async (query: string) => {
      const { data, next } = (await stage.get(`/audit/v1/refunds${query}`)).json<{
        data: { refundId: string }[];
        next: string | null;
      }>();
      return [data.map((r) => r.refundId), next];
    };
    expect(await ids('?limit=2')).toEqual([['refund-3', 'refund-2'], 'refund-2']);
    expect(await ids('?limit=2&after=refund-2')).toEqual([['refund-1'], null]);
    expect(await ids('?organisation=org-2')).toEqual([[], null]);
    expect((await stage.get('/audit/v1/refunds', stage.adminKey)).status).toBe(200);
    expect((await stage.get('/audit/v1/refunds', stage.callerKey)).status).toBe(403);
    expect((await stage.get('/audit/v1/refunds/refund-9', stage.callerKey)).status).toBe(403);
  }, 60_000);

  it('answers as it documents', async () => {
    await buy('credit-1');
    await ask('refund-1', HALF);
    await ask('refund-2', { amountPicoUsd: (2n * BOUGHT).toString() });
    await stage.settled();
    expect(await decider().decideDue()).toBe(2);
    await stage.settled();
    await ask('refund-3', { creditId: 'credit-1' });
    await stage.settled();
    const document = (await stage.getOpenly('/audit/v1/openapi.json')).json<{
      components: object;
    }>();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: 'doc', components: document.components });
    const faults = (schema: string, answer: unknown) => {
      const validate = ajv.compile({ $ref: `doc#/components/schemas/${schema}` });
      validate(answer);
      return validate.errors;
    };
    const page = (await stage.get('/audit/v1/refunds')).json<{ data: { status: string }[] }>();
    expect(page.data.map((r) => r.status)).toEqual(['approved', 'declined', 'granted']);
    expect(faults('RefundPage', page)).toBeNull();
    const month = await monthOfRefund();
    const invoice = await stage.get(`/audit/v1/invoices/${ORGANISATION}/${month}`);
    expect(faults('Invoice', invoice.json())).toBeNull();
    expect(faults('Refund', { refundId: 'refund-1' })).not.toBeNull();
  }, 60_000);

  it.each([
    ['/refund-9', 404, 'refund_not_found'],
    ['/%00', 404, 'refund_not_found'],
    ['?limit=0', 400, 'invalid_statement_query'],
    ['?organisation=%00', 400, 'invalid_statement_query'],
    ['?state=granted', 400, 'invalid_statement_query'],
  ])('%s is %d %s', async (path, status, code) => {
    const answer = await stage.get(`/audit/v1/refunds${path}`);
    expect([answer.status, answer.text()]).toEqual([status, expect.stringContaining(code)]);
  });
});

// What one ledger cuts and removes is nothing to the other, wherever their logs are; and what a log of Kafka keeps.
import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import { TOPICS } from '#libs/audit-events';
import { KafkaAppendLog, type AppendLog } from '#libs/audit-log';
import { ledgerMigrations } from '#libs/ledger-store';
import { runMigrations } from '#libs/platform';
import { fromStart, readAll } from '../../../../test/contract/append-log-fixtures.js';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../../../../test/support/kafka-cluster.js';
import {
  openRetentionStage,
  policyText,
  type RetentionStage,
} from './retention-stage.spec-support.js';
import { RetentionPolicy } from './retention-policy.js';

const WEEK_MS = 7 * 24 * 3_600_000;

if (!kafkaIsOffered)
  process.stderr.write(
    '\nNOT RUN: retention over a Kafka log (needs CUSTOS_TEST_KAFKA=1, Java, Maven)\n',
  );

let cluster: KafkaCluster | undefined;

describe('two ledgers, their logs in PostgreSQL', () => twoLedgers(undefined));
(kafkaIsOffered ? describe : describe.skip)('on one Kafka cluster', () => {
  beforeAll(async () => {
    cluster = await startKafkaCluster(1);
  }, KAFKA_START_TIMEOUT_MS);
  afterAll(() => cluster?.stop(), 60_000);

  describe('two ledgers', () =>
    twoLedgers((ledgerId) => KafkaAppendLog.open({ brokers: cluster!.brokers, ledgerId })));

  it('topics that forget within the week are refused at the start, those that keep it are not', async () => {
    const open = (ledgerId: string, retentionMs: number): Promise<AppendLog> =>
      KafkaAppendLog.open({ brokers: cluster!.brokers, ledgerId, retentionMs });
    await expect(open('short', WEEK_MS - 1)).rejects.toMatchObject({
      code: 'log_unsafe',
      message: expect.stringMatching(
        new RegExp(`custos.audit.v1.short: retention.ms must be -1 or at least ${WEEK_MS}`),
      ) as unknown,
    });
    await (await open('week', WEEK_MS)).close();
  }, 60_000);
});

function twoLedgers(openLog: ((ledgerId: string) => Promise<AppendLog>) | undefined): void {
  const stages = new Map<string, RetentionStage>();
  const policies = new Map<string, RetentionPolicy>();
  const old = new Map<string, readonly string[]>();
  const main = (): RetentionStage => stages.get('main')!;
  const bank = (): RetentionStage => stages.get('bank')!;

  beforeAll(async () => {
    for (const ledgerId of ['main', 'bank']) {
      const at = await openRetentionStage(openLog && (() => openLog(ledgerId)));
      stages.set(ledgerId, at);
      const retention = RetentionPolicy.parse(policyText({ ledger: ledgerId }), ledgerId);
      policies.set(ledgerId, retention);
      await at.start({ ledgerId, retention });
      // The main one has not come to the turn of a month yet.
      old.set(ledgerId, await at.month(14, 100));
      if (ledgerId === 'bank') await at.month(13, 60);
    }
  }, 240_000);
  afterAll(async () => {
    for (const at of stages.values()) await at.close();
  }, 120_000);

  /** All that retention could touch. */
  const everything = (at: RetentionStage) =>
    at.sql(
      `select (select json_agg(p) from ledger.entry_parts() p)::text as parts,
         (select json_agg(c) from ledger.entry_cut c)::text as cuts,
         (select count(*) from ledger.entry where leaf_index < 200) as entries,
         (select count(*) from ledger.retention) as records,
         (select count(*) from ledger.generation where removed_by is not null) as documents,
         (select count(*) from log.forgotten) as forgotten`,
    );
  const recordsIn = async (at: RetentionStage): Promise<bigint> => {
    const ends = await at.stage.log.endOffsets();
    return ends.reduce((sum, end) => sum + end.next, 0n);
  };

  it('the one removes its month; the other has all of it, and its policy is not taken for the other’s', async () => {
    const before = await everything(main());
    for (const at of stages.values()) at.clock.goTo(new Date());
    expect(await bank().stage.ledger.retention.apply('system:retention')).toMatchObject({
      removed: 1,
      log: { forgotten: openLog ? 0 : 1, stayed: [] },
    });
    await bank().stage.settled();
    expect((await everything(bank()))[0]).toMatchObject({ entries: '0', documents: '160' });
    expect(await everything(main())).toEqual(before);
    const status = async (at: RetentionStage, ledgerId: string): Promise<number> =>
      (await at.stage.get(`/audit/v1/receipts/${old.get(ledgerId)![0]!}`)).status;
    expect(await status(bank(), 'bank')).toBe(410);
    expect(await status(main(), 'main')).toBe(200);
    expect((await main().stage.getOpenly('/log/minimum-index')).text()).toBe('0\n');
    expect(() => RetentionPolicy.parse(policyText({ ledger: 'main' }), 'bank')).toThrow(
      /another ledger/,
    );
  }, 120_000);

  if (openLog === undefined) return;

  it('what Kafka keeps is its own: the ledger says so, and every record is still there', async () => {
    const { log } = (await bank().stage.get('/audit/v1/retention')).json<{ log: unknown }>();
    expect(log).toBeNull();
    const before = await recordsIn(bank());
    const records = await readAll(bank().stage.log, await fromStart(bank().stage.log));
    // Writers go on to say that they are alive.
    expect(BigInt(records.length)).toBeGreaterThanOrEqual(before);
  }, 120_000);

  it('a ledger is not built of a topic whose beginning is gone: it halts and has no books', async () => {
    const at = bank();
    await at.stage.stopLedger();
    const admin = new kafkajs.Kafka({
      clientId: 'spec',
      brokers: [...cluster!.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    const topic = `${TOPICS.audit}.bank`;
    const [busy] = (await admin.fetchTopicOffsets(topic)).filter((p) => Number(p.high) > 50);
    await admin.deleteTopicRecords({
      topic,
      partitions: [{ partition: busy!.partition, offset: '10' }],
    });
    await admin.disconnect();
    await at.sql('drop schema ledger cascade');
    await at.sql('drop table public.ledger_migrations');
    await runMigrations({
      url: at.stage.database.ownerUrl,
      migrations: ledgerMigrations,
      tableName: 'ledger_migrations',
    });
    await at.start({ ledgerId: 'bank', retention: policies.get('bank') });
    while (at.stage.ledger.consumer.role !== 'halted')
      await new Promise((resolve) => setTimeout(resolve, 10));
    const fault = await at.stage.ledger.fault();
    expect(fault).toMatch(/the log does not reach the position/);
    expect(fault).toContain(`partition ${busy!.partition}, next 0, low 10`);
    // At most its own words were read, which it reads first.
    expect(
      await at.sql(
        `select (select count(*) from ledger.generation)::int as generations,
           (select count(*) from ledger.journal)::int as journals`,
      ),
    ).toEqual([{ generations: 0, journals: 0 }]);
  }, 120_000);
}

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import { TOPICS, type LogRecord } from '#libs/audit-events';
import { AuditWriter, KafkaAppendLog } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../support/kafka-cluster.js';
import { fold, readAll, TestWriter, until } from './append-log-fixtures.js';
import { appendLogContract } from './append-log.contract.js';

if (!kafkaIsOffered)
  process.stderr.write(
    '\nNOT RUN: the Kafka log’s contract (needs CUSTOS_TEST_KAFKA=1, Java, Maven)\n',
  );
const withKafka = kafkaIsOffered ? describe : describe.skip;

withKafka('on one broker', () => {
  let cluster: KafkaCluster;
  const open = () => KafkaAppendLog.open({ brokers: cluster.brokers, appendDeadlineMs: 2_000 });

  appendLogContract(async () => {
    cluster = await startKafkaCluster(1);
    return {
      openAppender: open,
      openReader: open,
      kill: () => cluster.kill(1),
      restart: () => cluster.restart(1),
      stop: async () => undefined,
    };
  }, KAFKA_START_TIMEOUT_MS);

  test('two ledgers on the same brokers have their own topics, and hear nothing of each other', async () => {
    const [main, bank] = await Promise.all([
      open(),
      KafkaAppendLog.open({ brokers: cluster.brokers, ledgerId: 'bank' }),
    ]);
    expect(bank.id).toBe(`${main.id}/bank`);
    const before = await readAll(main);
    const [hers, ours] = [new TestWriter(bank).batch(3), new TestWriter(main).batch(2)];
    expect((await bank.appendBatch(hers)).baseOffset).toBe(0n);
    await main.appendBatch(ours);
    const bytesOf = (records: readonly LogRecord[]) => records.map((r) => r.value.toString());
    const inBank = await readAll(bank);
    expect(bytesOf(inBank)).toEqual(hers.values.map((v) => Buffer.from(v).toString()));
    expect(inBank[0]!.topic).toBe(TOPICS.audit);
    expect(bytesOf(await readAll(main)).sort()).toEqual(
      [...bytesOf(before), ...ours.values.map((v) => Buffer.from(v).toString())].sort(),
    );
    await bank.check();
    await Promise.all([main.close(), bank.close()]);
  }, 60_000);

  describe('the topics’ settings', () => {
    let admin: Admin;
    beforeAll(async () => {
      const { Kafka, logLevel } = kafkajs;
      admin = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING }).admin();
      await admin.connect();
    });
    afterAll(async () => {
      await admin?.disconnect();
      await cluster?.stop();
    }, 60_000);

    const set = (name: string, value: string) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: TOPICS.ledger,
            configEntries: Object.entries({ ...SAFE, [name]: value }).map(([n, v]) => ({
              name: n,
              value: v,
            })),
          },
        ],
      });
    const SAFE = {
      'message.timestamp.type': 'LogAppendTime',
      'flush.messages': '1',
      'retention.ms': '-1',
    };

    test.each([
      ['flush.messages', '10000'],
      ['message.timestamp.type', 'CreateTime'],
      ['unclean.leader.election.enable', 'true'],
      ['cleanup.policy', 'compact'],
      ['retention.ms', '3600000'],
      ['retention.bytes', '1000000'],
    ])('%s=%s is refused at the start and by the check', async (name, value) => {
      const log = await open();
      await set(name, value);
      await expect(open()).rejects.toMatchObject({ code: 'log_unsafe' });
      await expect(log.check()).rejects.toMatchObject({
        code: 'log_unsafe',
        message: expect.stringContaining(`${TOPICS.ledger}: `) as unknown,
      });
      await set('flush.messages', '1');
      await log.check();
      expect(log.durability).toBe('written to a single Kafka broker, fsync per batch');
      await log.close();
    });
  });
});

withKafka('on three brokers', () => {
  let cluster: KafkaCluster;
  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  }, KAFKA_START_TIMEOUT_MS);
  afterAll(async () => cluster?.stop(), 60_000);

  test('the leader is killed mid-append: what was acknowledged is there, what is not was never said to be', async () => {
    const log = await KafkaAppendLog.open({ brokers: cluster.brokers });
    expect(log.durability).toBe('replicated to at least 2 of 3 Kafka brokers');
    const writer = new AuditWriter({
      log,
      topic: TOPICS.audit,
      app: 'spec',
      clock: new SystemClock(),
    });
    await writer.start(10_000);
    const acknowledged = new Map<string, { partition: number; offset: bigint }>();
    const refused = new Set<string>();
    let calling = true;
    let n = 0;
    const caller = async () => {
      while (calling) {
        const id = `gen-${n++}`;
        const data = {
          generationId: id,
          at: new Date().toISOString(),
          attempt: 1,
          outputTokens: 1,
        };
        await writer.append('custos.generation.progress.v1', id, data, { admission: true }).then(
          (receipt) => acknowledged.set(id, receipt),
          async () => {
            refused.add(id);
            await new Promise((resolve) => setTimeout(resolve, 50));
          },
        );
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    await until(() => acknowledged.size >= 2_000, 20_000);
    const leader = await cluster.leaderOf(TOPICS.audit, writer.partition);
    await cluster.kill(leader);
    const before = acknowledged.size;
    await until(() => acknowledged.size > before + 2_000, 60_000);
    calling = false;
    await Promise.all(callers);
    await writer.stop(30_000);
    const records = await readAll(log);
    const { effects, faults } = fold(records);
    expect(faults.every((f) => f === 'duplicate')).toBe(true);
    const said = new Set(effects.get(writer.writerId)!.map((e) => e.subject));
    const lost = [...acknowledged.keys()].filter((id) => !said.has(id));
    expect(lost).toEqual([]);
    // Each acknowledgement named the very place.
    const at = new Map(records.map((r) => [`${r.partition}/${r.offset}`, r.value.toString()]));
    for (const [id, { partition, offset }] of acknowledged)
      expect(at.get(`${partition}/${offset}`)).toContain(`"subject":"${id}"`);
    // Late admissions may be there or not; nothing else may.
    for (const subject of said)
      if (subject.startsWith('gen-'))
        expect(acknowledged.has(subject) || refused.has(subject)).toBe(true);
    await log.close();
  }, 150_000);
});

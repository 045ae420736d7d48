import 'reflect-metadata';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import pg from 'pg';
import { KafkaAppendLog } from '#libs/audit-log';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../../../../test/support/kafka-cluster.js';
import { LedgerStage } from '../ledger-stage.spec-support.js';

if (!kafkaIsOffered)
  process.stderr.write(
    '\nNOT RUN: the tree over a Kafka log (needs CUSTOS_TEST_KAFKA=1, Java, Maven)\n',
  );
const withKafka = kafkaIsOffered ? describe : describe.skip;

withKafka('the tree over a Kafka log', () => {
  let cluster: KafkaCluster;
  let stage: LedgerStage;
  let ids: readonly string[];

  beforeAll(async () => {
    cluster = await startKafkaCluster(1);
    stage = await LedgerStage.open(() => KafkaAppendLog.open({ brokers: cluster.brokers }));
    await stage.startLedger();
    const writers = await Promise.all(Array.from({ length: 4 }, () => stage.writer('ingress')));
    ids = await Promise.all(
      Array.from({ length: 60 }, (_, i) => stage.complete(writers[i % writers.length]!)),
    );
    await stage.settled();
  }, KAFKA_START_TIMEOUT_MS);
  afterAll(async () => {
    await stage?.close();
    await cluster?.stop();
  }, 60_000);

  /** As a data directory of the version before is, once the migrations have run. */
  async function forget(): Promise<void> {
    const client = new pg.Client({ connectionString: stage.database.superuserUrl });
    await client.connect();
    await client.query(`set session_replication_role = replica`);
    for (const table of ['checkpoint_note', 'checkpoint', 'log_identity', 'node', 'entry'])
      await client.query(`delete from ledger.${table}`);
    await client.query(`update ledger.tree_state set frontier = '{}'`);
    await client.end();
  }

  it('has the records that Kafka delivered, and receipts for them', async () => {
    for (const id of ids.slice(0, 5)) {
      const receipt = await stage.get(`/audit/v1/receipts/${id}`);
      expect(receipt.status).toBe(200);
      expect(receipt.json<{ events: unknown[] }>().events).toHaveLength(2);
    }
  });

  it('is brought up over older leaves, to the same root', async () => {
    const before = (await stage.ledger.tree.checkpoints.latest())!;
    await stage.stopLedger();
    await forget();
    await stage.startLedger({ checkpointMs: 3_600_000 });
    expect(await stage.ledger.fault()).toBeUndefined();
    await stage.settled();
    const after = (await stage.ledger.tree.checkpoints.latest())!;
    expect(after.size).toBeGreaterThanOrEqual(before.size);
    const entries = await stage.ledger.tree.queries.entries(0n, Number(before.size));
    expect(entries).toHaveLength(Number(before.size));
    for (const id of ids.slice(0, 5))
      expect((await stage.get(`/audit/v1/receipts/${id}`)).status).toBe(200);
  }, 120_000);

  it('halts where Kafka has let older records go', async () => {
    await stage.stopLedger();
    await forget();
    const admin = new kafkajs.Kafka({
      clientId: 'spec',
      brokers: [...cluster.brokers],
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin();
    await admin.connect();
    const partitions = (await admin.fetchTopicOffsets('custos.audit.v1'))
      .filter((p) => p.high !== '0')
      .map(({ partition, high }) => ({ partition, offset: high }));
    await admin.deleteTopicRecords({ topic: 'custos.audit.v1', partitions });
    await admin.disconnect();
    await stage.startLedger();
    expect(await stage.ledger.fault()).toMatch(
      /^the tree cannot be built: the log no longer has the records of older leaves/,
    );
  }, 120_000);
});

// The same by way of a real Apache Kafka broker: PostgreSQL holds no log there.
import { afterAll, beforeAll, describe } from '@jest/globals';
import { decodeEvent, type LogRecord } from '#libs/audit-events';
import { KafkaAppendLog, partitionOf } from '#libs/audit-log';
import {
  KAFKA_START_TIMEOUT_MS,
  kafkaIsOffered,
  startKafkaCluster,
  type KafkaCluster,
} from '../support/kafka-cluster.js';
import { readAll } from './append-log-fixtures.js';
import { replayContract } from './replay.contract.js';

if (!kafkaIsOffered)
  process.stderr.write('\nNOT RUN: replay over Kafka (needs CUSTOS_TEST_KAFKA=1, Java, Maven)\n');
const withKafka = kafkaIsOffered ? describe : describe.skip;

const writerOf = ({ value }: LogRecord): string => {
  const decoded = decodeEvent(value);
  if (!decoded.ok) throw new Error(decoded.fault);
  return decoded.event.writer;
};

withKafka('the past, by way of Kafka', () => {
  let cluster: KafkaCluster;

  beforeAll(async () => {
    cluster = await startKafkaCluster(1);
  }, KAFKA_START_TIMEOUT_MS);
  afterAll(() => cluster?.stop(), 60_000);

  replayContract(async (records) => {
    const log = await KafkaAppendLog.open({ brokers: cluster.brokers });
    try {
      for (const [writer, own] of Map.groupBy(records, writerOf))
        await log.appendBatch({
          // A writer writes to one topic.
          topic: own[0]!.topic,
          partition: partitionOf(writer, log.partitionsPerTopic),
          writer,
          firstWseq: 0,
          values: own.map((r) => r.value),
        });
      return await readAll(log);
    } finally {
      await log.close();
    }
  }, 120_000);
});

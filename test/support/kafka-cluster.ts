// Real Kafka brokers for specs, in this test run's folder, so that the run's end stops them whatever happens.
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { Kafka, logLevel } from 'kafkajs';
import {
  brokerPid,
  killBroker,
  startBroker,
  startBrokers,
  stopBroker,
  stopBrokers,
} from '../../deploy/kafka/brokers.mjs';
import { runDirectory } from './postgres.js';

/** Set by `npm test` where Java and Maven are found and the jars have been fetched. */
export const kafkaIsOffered = process.env['CUSTOS_TEST_KAFKA'] === '1';

/** Three JVMs must start, on a busy machine: the time-out for a `beforeAll` that starts a cluster. */
export const KAFKA_START_TIMEOUT_MS = 120_000;

export interface KafkaCluster {
  /** `host:port` of every broker, for CUSTOS_KAFKA_BROKERS or kafkajs. */
  readonly brokers: readonly string[];
  pidOf(nodeId: number): number | undefined;
  /** The broker that now leads a partition. */
  leaderOf(topic: string, partition: number): Promise<number>;
  /** SIGKILL: what was not replicated or synced is gone. */
  kill(nodeId: number): Promise<void>;
  /** An orderly stop, with hand-over of leadership. */
  shutDown(nodeId: number): Promise<void>;
  /** Starts a killed or stopped broker again on its data and its port. */
  restart(nodeId: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one broker (fsync per batch) or three (replication 3, min ISR 2), and returns when all of them serve. */
export async function startKafkaCluster(count: 1 | 3): Promise<KafkaCluster> {
  const dir = mkdtempSync(join(runDirectory(), 'kafka-'));
  const cluster = await startBrokers({ dir, count });
  const brokers = cluster.nodes.map((node) => `127.0.0.1:${node.port}`);
  return {
    brokers,
    pidOf: (nodeId) => brokerPid(cluster, nodeId),
    leaderOf: (topic, partition) => leaderOf(brokers, topic, partition),
    kill: (nodeId) => killBroker(cluster, nodeId),
    shutDown: (nodeId) => stopBroker(cluster, nodeId),
    restart: (nodeId) => startBroker(cluster, nodeId),
    stop: async () => {
      await stopBrokers(dir);
    },
  };
}

async function leaderOf(
  brokers: readonly string[],
  topic: string,
  partition: number,
): Promise<number> {
  const kafka = new Kafka({ clientId: 'spec', brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find((candidate) => candidate.partitionId === partition);
    if (found === undefined) throw new Error(`topic ${topic} has no partition ${partition}`);
    return found.leader;
  } finally {
    await admin.disconnect();
  }
}

import './kafkajs-checksum.js';
import kafkajs from 'kafkajs';
import type { Admin } from 'kafkajs';
import { auditLogError } from '../errors.js';
import type { TopicNames } from './topic-names.js';

export interface KafkaTopicOptions {
  /** Of a topic made by us; an existing one keeps its own. */
  readonly partitions?: number;
  /** Of a topic made by us: min(3, brokers) where absent. */
  readonly replicationFactor?: number;
  /** Of a topic made by us; -1 keeps for ever, and so does every check accept only that or more than a week. */
  readonly retentionMs?: number;
}

export interface TopicFacts {
  readonly partitions: number;
  readonly replicas: number;
  readonly minInsyncReplicas: number;
  readonly messageBytesMax: number;
}

const PARTITIONS = 12;
const REPLICAS = 3;
/** Kafka limits the record batch, not the record: room for the writer's 512 KiB batch and its framing. */
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** The sequencer must have read a record long before the topic may forget it. */
const RETENTION_MIN_MS = 7 * 24 * 3_600_000;
/** A leader of a fresh topic is elected within this time. */
const LEADERS_WITHIN_MS = 15_000;

/** Creates the topics that are absent, with settings that `checkTopics` accepts. */
export async function createTopics(
  admin: Admin,
  names: TopicNames,
  options: KafkaTopicOptions,
): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const absent = names.all.filter((name) => !existing.has(name));
  if (absent.length === 0) return;
  const { brokers } = await admin.describeCluster();
  const replicas = options.replicationFactor ?? Math.min(REPLICAS, brokers.length);
  await admin.createTopics({
    waitForLeaders: true,
    timeout: LEADERS_WITHIN_MS,
    topics: absent.map((topic) => ({
      topic,
      numPartitions: options.partitions ?? PARTITIONS,
      replicationFactor: replicas,
      configEntries: Object.entries({
        'min.insync.replicas': String(replicas >= 2 ? Math.max(2, replicas - 1) : 1),
        'unclean.leader.election.enable': 'false',
        'message.timestamp.type': 'LogAppendTime',
        'cleanup.policy': 'delete',
        'retention.ms': String(options.retentionMs ?? -1),
        'retention.bytes': '-1',
        'max.message.bytes': String(MESSAGE_BYTES_MAX),
        // With one copy only fsync makes an acknowledgement mean anything.
        ...(replicas === 1 ? { 'flush.messages': '1' } : {}),
      }).map(([name, value]) => ({ name, value })),
    })),
  });
}

/** Reads the topics' settings; throws `log_unsafe` with every fault at once. */
export async function checkTopics(admin: Admin, names: TopicNames): Promise<TopicFacts> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names.all] });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.all.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
  });
  const facts = names.all.map((name) => {
    const partitions = topics.find((t) => t.name === name)?.partitions ?? [];
    const entries = resources.find((r) => r.resourceName === name)?.configEntries ?? [];
    if (partitions.length === 0 || entries.length === 0)
      throw new Error(`topic ${name} cannot be described`);
    const settings = new Map(entries.map((e) => [e.configName, e.configValue]));
    const replicas = Math.min(...partitions.map((p) => p.replicas.length));
    return { name, partitions: partitions.length, replicas, settings };
  });
  const faults = facts.flatMap(({ name, replicas, settings }) =>
    faultsOf(replicas, settings).map((fault) => `${name}: ${fault}`),
  );
  if (new Set(facts.map((f) => f.partitions)).size > 1)
    faults.push('the topics do not have the same number of partitions');
  if (faults.length > 0) throw auditLogError('log_unsafe', faults.join('; '));
  const number = (name: string) => Math.min(...facts.map((f) => Number(f.settings.get(name))));
  return {
    partitions: facts[0]!.partitions,
    replicas: Math.min(...facts.map((f) => f.replicas)),
    minInsyncReplicas: number('min.insync.replicas'),
    messageBytesMax: number('max.message.bytes'),
  };
}

/** What would let an acknowledged record be lost, or be given a false time. */
export function faultsOf(replicas: number, settings: ReadonlyMap<string, string>): string[] {
  const is = (name: string) => settings.get(name) ?? '';
  const faults: string[] = [];
  const demand = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault);
  };
  demand(
    is('unclean.leader.election.enable') === 'false',
    'unclean.leader.election.enable must be false',
  );
  demand(is('cleanup.policy') === 'delete', 'cleanup.policy must be delete');
  demand(
    is('message.timestamp.type') === 'LogAppendTime',
    'message.timestamp.type must be LogAppendTime',
  );
  const retentionMs = Number(is('retention.ms'));
  demand(
    retentionMs === -1 || retentionMs >= RETENTION_MIN_MS,
    `retention.ms must be -1 or at least ${RETENTION_MIN_MS}`,
  );
  demand(is('retention.bytes') === '-1', 'retention.bytes must be -1');
  // Half of it must hold one event with its framing.
  demand(Number(is('max.message.bytes')) >= 65_536, 'max.message.bytes must be at least 65536');
  if (replicas >= 2)
    demand(
      Number(is('min.insync.replicas')) >= 2,
      `min.insync.replicas must be at least 2 with ${replicas} replicas`,
    );
  else
    demand(
      is('flush.messages') === '1',
      'a single replica needs flush.messages=1 (single node, fsync per batch)',
    );
  return faults;
}

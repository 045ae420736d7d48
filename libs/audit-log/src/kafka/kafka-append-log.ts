import type { Kafka } from 'kafkajs';
import { TOPICS } from '#libs/audit-events';
import {
  AppendLog,
  type AppendBatch,
  type BatchReceipt,
  type ConsumeOptions,
  type Position,
} from '../append-log.js';
import { BatchCombiner } from '../batch-combiner.js';
import { checkBatch } from '../check-batch.js';
import { auditLogError } from '../errors.js';
import { consumeKafka } from './consume-kafka.js';
import { KafkaAdmin } from './kafka-admin.js';
import { fromKafka, kafkaClient, type KafkaConnectionOptions } from './kafka-client.js';
import { KafkaSender } from './kafka-sender.js';
import { MAIN_LEDGER, TopicNames } from './topic-names.js';
import {
  checkTopics,
  createTopics,
  type KafkaTopicOptions,
  type TopicFacts,
} from './kafka-topics.js';

export interface KafkaAppendLogOptions extends KafkaConnectionOptions, KafkaTopicOptions {
  /** Time for one append until it counts as unknown; kafkajs itself would try for ever. */
  readonly appendDeadlineMs?: number;
  /** Whose topics; default: the main ledger's. */
  readonly ledgerId?: string;
  /** Shorter than the silence after which the ledger retires a writer; see `AppendLog.standstillMaxMs`. */
  readonly standstillMaxMs?: number;
}

/** The writer's own limit on a batch. */
const BATCH_BYTES_MAX = 512 * 1024;

/** The audit log in Kafka: three topics, acks=all, one send in flight for the whole process. */
export class KafkaAppendLog extends AppendLog {
  readonly id: string;
  readonly partitionsPerTopic: number;
  readonly durability: string;
  readonly batchBytesMax: number;
  override readonly standstillMaxMs: number | undefined;
  readonly #combiner = new BatchCombiner((batches) => this.appendBatches(batches));
  readonly #sender: KafkaSender;

  private constructor(
    private readonly kafka: Kafka,
    private readonly admin: KafkaAdmin,
    private readonly names: TopicNames,
    clusterId: string,
    facts: TopicFacts,
    options: KafkaAppendLogOptions,
  ) {
    super();
    this.id = this.#idOn(clusterId);
    this.partitionsPerTopic = facts.partitions;
    this.durability =
      facts.replicas === 1
        ? 'written to a single Kafka broker, fsync per batch'
        : `replicated to at least ${facts.minInsyncReplicas} of ${facts.replicas} Kafka brokers`;
    // Half is left for the framing of up to 1,000 small records.
    this.batchBytesMax = Math.min(BATCH_BYTES_MAX, Math.floor(facts.messageBytesMax / 2));
    this.standstillMaxMs = options.standstillMaxMs;
    this.#sender = new KafkaSender(kafka, names, {
      deadlineMs: options.appendDeadlineMs ?? 5_000,
      messageBytesMax: facts.messageBytesMax,
    });
  }

  /** Creates what topics are absent, then checks all. Throws `log_unavailable` or `log_unsafe`. */
  static async open(options: KafkaAppendLogOptions): Promise<KafkaAppendLog> {
    const kafka = kafkaClient(options);
    const admin = new KafkaAdmin(kafka);
    const names = new TopicNames(options.ledgerId);
    try {
      await admin.ask((a) => createTopics(a, names, options));
      const facts = await admin.ask((a) => checkTopics(a, names));
      const log = new KafkaAppendLog(kafka, admin, names, await admin.clusterId(), facts, options);
      await log.#sender.connect();
      return log;
    } catch (error) {
      await admin.close();
      throw fromKafka(error);
    }
  }

  async appendBatch(batch: AppendBatch): Promise<BatchReceipt> {
    checkBatch(batch);
    return this.#combiner.append(batch);
  }

  appendBatches(batches: readonly AppendBatch[]): Promise<PromiseSettledResult<BatchReceipt>[]> {
    return this.#sender.send(batches);
  }

  consume(options: ConsumeOptions): Promise<void> {
    return consumeKafka(this.kafka, this.admin, this.names, options);
  }

  async endOffsets(): Promise<readonly Position[]> {
    const topics = Object.values(TOPICS);
    const bounds = await Promise.all(
      topics.map((topic) => this.admin.bounds(this.names.onBrokers(topic))),
    );
    return topics.flatMap((topic, t) =>
      bounds[t]!.map(({ partition, high }) => ({ topic, partition, next: high })),
    );
  }

  /** Kafka cannot fence a writer across sessions: it fences itself (`standstillMaxMs`), and readers see what it still says. */
  async retireWriter(): Promise<void> {}

  async check(): Promise<void> {
    const facts = await this.admin.ask((a) => checkTopics(a, this.names));
    if (facts.partitions < this.partitionsPerTopic)
      throw auditLogError('log_gap', 'the topics have fewer partitions than before');
    if (this.id !== this.#idOn(await this.admin.clusterId()))
      throw auditLogError('log_unsafe', 'the brokers now belong to another cluster');
  }

  #idOn(clusterId: string): string {
    const { ledgerId } = this.names;
    return ledgerId === MAIN_LEDGER ? `kafka:${clusterId}` : `kafka:${clusterId}/${ledgerId}`;
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.close(), this.admin.close()]);
  }
}

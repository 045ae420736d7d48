import type { Kafka, Producer, RecordMetadata, TopicMessages } from 'kafkajs';
import type { AppendBatch, BatchReceipt } from '../append-log.js';
import { auditLogError } from '../errors.js';
import { fromKafka } from './kafka-client.js';
import type { TopicNames } from './topic-names.js';

export interface KafkaSenderOptions {
  readonly deadlineMs: number;
  /** The topics' max.message.bytes: the limit of what one send may carry to one partition. */
  readonly messageBytesMax: number;
}

type Settled = PromiseSettledResult<BatchReceipt>;

interface Underway {
  readonly result: Promise<Settled>;
  /** Nobody waits any more: what it comes to is kept for the batch's repetition. */
  abandoned: boolean;
}

/** Framing of one record in a v2 record batch, generously (varints; no key, no headers). */
const RECORD_FRAME_BYTES = 64;
const BATCH_FRAME_BYTES = 1_024;
/** How long a broker may wait for its followers before it answers that they are late. */
const ACKS_WITHIN_MS = 3_000;
const ACKS_ALL = -1;

/**
 * Sends batches with an idempotent producer. kafkajs repeats inside until the brokers answer, across leader
 * changes; we stop waiting at the deadline, but the send goes on, and the repetition of a batch that is still
 * under way joins it instead of being sent a second time. After an error that kafkajs gives up on, a fresh
 * producer is made: what then lands twice has the same writer and wseq, and readers drop it.
 */
export class KafkaSender {
  #producer: Producer | undefined;
  #connecting: Promise<Producer> | undefined;
  #closed = false;
  readonly #underway = new Map<string, Underway>();

  constructor(
    private readonly kafka: Kafka,
    private readonly names: TopicNames,
    private readonly options: KafkaSenderOptions,
  ) {}

  async connect(): Promise<void> {
    await this.#connected();
  }

  async send(batches: readonly AppendBatch[]): Promise<Settled[]> {
    for (const group of this.#groups(batches.filter((b) => !this.#underway.has(keyOf(b))))) {
      const results = this.#sendGroup(group);
      group.forEach((batch, i) => this.#watch(keyOf(batch), results, i));
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), this.options.deadlineMs);
    });
    const settled = await Promise.all(batches.map((batch) => this.#wait(keyOf(batch), late)));
    clearTimeout(timer);
    return settled;
  }

  #watch(key: string, results: Promise<readonly Settled[]>, i: number): void {
    const underway: Underway = { result: results.then((all) => all[i]!), abandoned: false };
    this.#underway.set(key, underway);
    void underway.result.then((settled) => {
      if (!underway.abandoned || settled.status === 'rejected') this.#underway.delete(key);
    });
  }

  async #wait(key: string, late: Promise<'late'>): Promise<Settled> {
    const underway = this.#underway.get(key)!;
    const settled = await Promise.race([underway.result, late]);
    underway.abandoned = settled === 'late';
    if (settled === 'late') return unknown();
    this.#underway.delete(key);
    return settled;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.disconnect().catch(() => undefined);
  }

  /** All in one send, unless one partition's share would be over the topic's limit. */
  #groups(batches: readonly AppendBatch[]): AppendBatch[][] {
    const groups: { readonly batches: AppendBatch[]; readonly bytes: Map<string, number> }[] = [];
    for (const batch of batches) {
      const place = `${batch.topic}/${batch.partition}`;
      const bytes = batch.values.reduce((sum, v) => sum + v.length + RECORD_FRAME_BYTES, 0);
      const max = this.options.messageBytesMax - BATCH_FRAME_BYTES;
      let group = groups.at(-1);
      if (group === undefined || (group.bytes.get(place) ?? 0) + bytes > max)
        groups.push((group = { batches: [], bytes: new Map() }));
      group.batches.push(batch);
      group.bytes.set(place, (group.bytes.get(place) ?? 0) + bytes);
    }
    return groups.map((g) => g.batches);
  }

  async #sendGroup(batches: readonly AppendBatch[]): Promise<Settled[]> {
    let producer: Producer | undefined;
    try {
      producer = await this.#connected();
      const answer = await producer.sendBatch({
        acks: ACKS_ALL,
        timeout: ACKS_WITHIN_MS,
        topicMessages: messagesOf(batches, this.names),
      });
      return receipts(batches, answer, this.names);
    } catch (error) {
      if (producer !== undefined && this.#producer === producer) {
        this.#producer = undefined;
        void producer.disconnect().catch(() => undefined);
      }
      const reason = fromKafka(error);
      return batches.map(() => ({ status: 'rejected', reason }));
    }
  }

  async #connected(): Promise<Producer> {
    if (this.#closed) throw auditLogError('log_unavailable', 'the log was closed');
    if (this.#producer !== undefined) return this.#producer;
    this.#connecting ??= (async () => {
      const producer = this.kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        retry: { initialRetryTime: 50, maxRetryTime: 500, retries: Number.MAX_SAFE_INTEGER },
      });
      await producer.connect();
      this.#producer = producer;
      return producer;
    })();
    try {
      return await this.#connecting;
    } finally {
      this.#connecting = undefined;
    }
  }
}

const keyOf = ({ writer, firstWseq, values }: AppendBatch): string =>
  `${writer}/${firstWseq}/${values.length}`;

const unknown = (): Settled => ({
  status: 'rejected',
  reason: auditLogError('log_unavailable', 'Kafka did not acknowledge within the deadline'),
});

function messagesOf(batches: readonly AppendBatch[], names: TopicNames): TopicMessages[] {
  const topics = new Map<string, TopicMessages>();
  for (const { topic, partition, values } of batches) {
    const entry = topics.get(topic) ?? { topic: names.onBrokers(topic), messages: [] };
    for (const value of values) entry.messages.push({ partition, value: value as Buffer });
    topics.set(topic, entry);
  }
  return [...topics.values()];
}

/** Batches of one partition lie behind each other in the order they were given. */
function receipts(
  batches: readonly AppendBatch[],
  answer: readonly RecordMetadata[],
  names: TopicNames,
): Settled[] {
  const next = new Map<string, bigint>();
  for (const { topicName, partition, baseOffset } of answer)
    if (baseOffset !== undefined && baseOffset !== '-1')
      next.set(`${topicName}/${partition}`, BigInt(baseOffset));
  return batches.map(({ topic, partition, values }) => {
    const place = `${names.onBrokers(topic)}/${partition}`;
    const baseOffset = next.get(place);
    if (baseOffset === undefined) return unknown();
    next.set(place, baseOffset + BigInt(values.length));
    return { status: 'fulfilled', value: { baseOffset } };
  });
}

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, Kafka, KafkaMessage } from 'kafkajs';
import type { LogRecord, Topic } from '#libs/audit-events';
import type { ConsumeOptions, Position } from '../append-log.js';
import { auditLogError } from '../errors.js';
import { Gatherer } from './gatherer.js';
import type { KafkaAdmin } from './kafka-admin.js';
import { fromKafka } from './kafka-client.js';
import type { TopicNames } from './topic-names.js';

/** Longest time a broker holds an empty fetch back; kafkajs's own 5 s would eat the latency budget. */
const FETCH_WAIT_MS = 100;
/**
 * A fetch answers when so much has come or the wait is over: larger batches, whose fixed cost in the ledger is
 * shared (as the PostgreSQL reader gathers).
 */
const FETCH_BYTES_MIN = 512 * 1024;
const SESSION_TIMEOUT_MS = 30_000;
/**
 * Until it has joined, kafkajs begins again by itself after a passing failure (a coordinator still loading, a leader
 * election), for this long. Later the caller is told and begins in a new group: in the old one the broker would wait
 * for the session of the member that we were.
 */
const SILENCE_MAX_MS = 30_000;

/** kafkajs's own goodbye asks brokers that may be gone; whoever reads must not wait for it to begin again. */
const GOODBYE_MAX_MS = 10_000;

/**
 * Reads on from the positions, alone in a consumer group that is new at every call: no rebalance with others,
 * no committed offsets, no waiting for a dead member. The positions are the caller's; each (re)join seeks to
 * where we are. Rejects `log_gap` when records before the next are gone or the log is shorter than the position.
 */
export async function consumeKafka(
  kafka: Kafka,
  admin: KafkaAdmin,
  names: TopicNames,
  options: ConsumeOptions,
): Promise<void> {
  const { signal } = options;
  if (options.from.length === 0 || signal.aborted) return;
  const next = new Map(options.from.map((p) => [placeOf(p), { ...p }]));
  const topics = [...new Set(options.from.map((p) => p.topic))];
  const begunAtMs = performance.now();
  let joined = false;
  const consumer = kafka.consumer({
    groupId: `custos-log-${randomUUID()}`,
    sessionTimeout: SESSION_TIMEOUT_MS,
    minBytes: FETCH_BYTES_MIN,
    maxWaitTimeInMs: FETCH_WAIT_MS,
    allowAutoTopicCreation: false,
    retry: {
      restartOnFailure: () =>
        Promise.resolve(!joined && performance.now() - begunAtMs < SILENCE_MAX_MS),
    },
  });
  const over = new AbortController();
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  const fail = (error: unknown) => ended.reject(error);
  const onAbort = () => {
    over.abort();
    ended.resolve();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) fail(payload.error);
  });
  consumer.on(consumer.events.GROUP_JOIN, () => {
    joined = true;
    for (const { topic, partition, next: at } of next.values())
      consumer.seek({ topic: names.onBrokers(topic), partition, offset: at.toString() });
  });
  try {
    await refuseLoss(admin, names, topics, next);
    await consumer.connect();
    await consumer.subscribe({
      topics: topics.map((topic) => names.onBrokers(topic)),
      fromBeginning: true,
    });
    await run(consumer, names, { ...options, signal: over.signal }, next, fail);
    await ended.promise;
  } catch (error) {
    // The caller's own error passes as it is; ours and kafkajs's are in this lib's words.
    throw error instanceof CallerFailed ? error.cause : fromKafka(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
    const said = new AbortController();
    await Promise.race([
      consumer.disconnect().catch(() => undefined),
      sleep(GOODBYE_MAX_MS, undefined, { signal: said.signal }).catch(() => undefined),
    ]);
    said.abort();
  }
}

/** Where the log starts after, or ends before, a position, acknowledged records are lost: say so, read nothing. */
async function refuseLoss(
  admin: KafkaAdmin,
  names: TopicNames,
  topics: readonly Topic[],
  next: ReadonlyMap<string, Position>,
): Promise<void> {
  for (const topic of topics)
    for (const { partition, low, high } of await admin.bounds(names.onBrokers(topic))) {
      const at = next.get(`${topic}/${partition}`)?.next;
      if (at !== undefined && (at < low || at > high))
        throw auditLogError('log_gap', 'the log does not reach the position', {
          topic,
          partition,
          next: at.toString(),
          low: low.toString(),
          high: high.toString(),
        });
    }
}

async function run(
  consumer: Consumer,
  names: TopicNames,
  { maxRecords, onBatch, signal }: ConsumeOptions,
  next: ReadonlyMap<string, { -readonly [K in keyof Position]: Position[K] }>,
  fail: (error: unknown) => void,
): Promise<void> {
  let failed = false;
  const gatherer = new Gatherer(maxRecords, onBatch);
  const underway = new Set<Position>();
  await consumer.run({
    autoCommit: false,
    // Each partition waits for its own records only; the next of one are never fetched before.
    partitionsConsumedConcurrently: next.size,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
      const at = next.get(`${names.plain(batch.topic)}/${batch.partition}`);
      if (at === undefined) {
        resolveOffset(batch.lastOffset());
        return;
      }
      // After joining anew kafkajs may fetch what is being taken: it is fetched again until that is done.
      if (underway.has(at)) return;
      const fresh = batch.messages.filter((m) => BigInt(m.offset) >= at.next);
      for (let i = 0; i < fresh.length; i += maxRecords) {
        if (failed || signal.aborted || !isRunning() || isStale()) return;
        try {
          const records = recordsOf(at, fresh.slice(i, i + maxRecords));
          underway.add(at);
          await gatherer.take(records).catch((cause: unknown) => {
            throw new CallerFailed(cause);
          });
          at.next = records.at(-1)!.offset + 1n;
        } catch (error) {
          // Not thrown on: kafkajs would redeliver to a caller who is done.
          failed = true;
          fail(error);
          return;
        } finally {
          underway.delete(at);
        }
        resolveOffset((at.next - 1n).toString());
        await heartbeat();
      }
      if (fresh.length === 0) resolveOffset(batch.lastOffset());
    },
  });
}

function recordsOf(at: Position, messages: readonly KafkaMessage[]): LogRecord[] {
  return messages.map((message, i) => {
    const offset = BigInt(message.offset);
    if (offset !== at.next + BigInt(i))
      throw auditLogError('log_gap', 'an offset is missing', {
        topic: at.topic,
        partition: at.partition,
        expected: (at.next + BigInt(i)).toString(),
        found: message.offset,
      });
    return {
      topic: at.topic,
      partition: at.partition,
      offset,
      recordedAtMs: Number(message.timestamp),
      value: message.value ?? Buffer.alloc(0),
    };
  });
}

const placeOf = (p: Position): string => `${p.topic}/${p.partition}`;

class CallerFailed extends Error {
  constructor(override readonly cause: unknown) {
    super('onBatch failed');
  }
}

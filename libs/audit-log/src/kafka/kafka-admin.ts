import type { Admin, Kafka } from 'kafkajs';
import { DomainError } from '#libs/kernel';
import { auditLogError } from '../errors.js';
import { fromKafka } from './kafka-client.js';

export interface PartitionBounds {
  readonly partition: number;
  /** First offset that is still there. */
  readonly low: bigint;
  /** Next offset to be written. */
  readonly high: bigint;
}

const ATTEMPTS = 8;
const PAUSE_MS = 150;

/**
 * kafkajs's admin client keeps what it once learnt of leaders: after an election (also that of a topic just made)
 * it asks the wrong broker again and again. So a failed question is asked anew by a fresh client, some times.
 */
export class KafkaAdmin {
  #admin: Promise<Admin> | undefined;

  constructor(private readonly kafka: Kafka) {}

  async ask<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const admin = (this.#admin ??= this.#connect());
      try {
        return await question(await admin);
      } catch (error) {
        if (error instanceof DomainError) throw error;
        if (this.#admin === admin) this.#admin = undefined;
        admin.then((a) => a.disconnect()).catch(() => undefined);
        if (attempt === ATTEMPTS) throw fromKafka(error);
        await new Promise((resolve) => setTimeout(resolve, attempt * PAUSE_MS));
      }
    }
  }

  bounds(topic: string): Promise<readonly PartitionBounds[]> {
    return this.ask(async (admin) =>
      (await admin.fetchTopicOffsets(topic))
        .map(({ partition, low, high }) => ({ partition, low: BigInt(low), high: BigInt(high) }))
        .sort((a, b) => a.partition - b.partition),
    );
  }

  clusterId(): Promise<string> {
    return this.ask(async (admin) => {
      const { clusterId } = await admin.describeCluster();
      if (clusterId === '') throw auditLogError('log_unavailable', 'the cluster has no id');
      return clusterId;
    });
  }

  async close(): Promise<void> {
    const admin = this.#admin;
    this.#admin = undefined;
    await admin?.then((a) => a.disconnect()).catch(() => undefined);
  }

  async #connect(): Promise<Admin> {
    const admin = this.kafka.admin();
    await admin.connect();
    return admin;
  }
}

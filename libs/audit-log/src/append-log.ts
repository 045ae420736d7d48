import type { LogRecord, Topic } from '#libs/audit-events';

/** A batch of one writer for one partition, in wseq order without gaps. */
export interface AppendBatch {
  readonly topic: Topic;
  readonly partition: number;
  readonly writer: string;
  readonly firstWseq: number;
  readonly values: readonly Uint8Array[];
}

export interface BatchReceipt {
  /** Offset of the first value; the others follow densely unless `offsets` says otherwise. */
  readonly baseOffset: bigint;
  /** Only where a repeated batch was partly known and its rest went further back: one offset per value. */
  readonly offsets?: readonly bigint[];
}

export interface Position {
  readonly topic: Topic;
  readonly partition: number;
  /** First offset to deliver. */
  readonly next: bigint;
}

export interface ConsumeOptions {
  /** One entry per partition to read; the log's whole partition set is `partitions()`. */
  readonly from: readonly Position[];
  readonly maxRecords: number;
  readonly signal: AbortSignal;
  /** Called one batch at a time; a partition's records come in offset order. A throw stops the consumption with it. */
  readonly onBatch: (records: readonly LogRecord[]) => Promise<void>;
}

/**
 * The audit log: partitions of dense offsets, append-only. Two adapters (PostgreSQL, Kafka), one contract suite.
 * Records of one writer go to one partition (ADR 0002), so a writer's chain is in order there.
 */
export abstract class AppendLog {
  /** Identity of this log's storage; part of the ledger's fence. E.g. `postgres:<uuid>`, `kafka:<cluster id>`. */
  abstract readonly id: string;
  abstract readonly partitionsPerTopic: number;
  /** What an acknowledgement means here, in words for the log and the documents. */
  abstract readonly durability: string;
  /** Largest sum of value bytes in one batch. */
  abstract readonly batchBytesMax: number;
  /**
   * How long a process may stand still and its writer go on afterwards, ms; undefined where the log itself refuses a writer
   * that was retired meanwhile.
   */
  readonly standstillMaxMs: number | undefined = undefined;

  /**
   * Resolves only when the batch is durable (PostgreSQL: committed with fsync; Kafka: acks=all, replicated to
   * min.insync.replicas). Rejects with DomainError `log_unavailable` when that is not known; the caller then
   * repeats the same batch, and the log, or else the reader, makes one of it. `writer_retired`: never repeat.
   */
  abstract appendBatch(batch: AppendBatch): Promise<BatchReceipt>;
  /** Several batches at once, in as few round trips as the log allows; settles each on its own. */
  abstract appendBatches(
    batches: readonly AppendBatch[],
  ): Promise<PromiseSettledResult<BatchReceipt>[]>;

  /** Delivers from the positions until the signal aborts; then resolves. Rejects when the log cannot be read on. */
  abstract consume(options: ConsumeOptions): Promise<void>;
  /** Next offset to be written, per partition. */
  abstract endOffsets(): Promise<readonly Position[]>;
  /**
   * Tells the log that this writer is dead: where the log can fence (PostgreSQL) its later batches are refused
   * with `writer_retired`. Kafka cannot; there an ingress fences itself (`standstillMaxMs`), and the ledger tells what is
   * still said after the `custos.writer.retired.v1` event.
   */
  abstract retireWriter(writer: string): Promise<void>;
  /** Throws DomainError (`log_unavailable`, `log_unsafe`) with the reason when the log must not be relied on. */
  abstract check(): Promise<void>;
  abstract close(): Promise<void>;
}

import type { Topic } from '#libs/audit-events';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
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
import { consumePostgres } from './consume-postgres.js';
import { PgConnection } from './pg-connection.js';

export interface PostgresAppendLogOptions {
  /** Role custos_audit suffices to append; custos_app is needed to consume. */
  readonly url: string;
  readonly applicationName?: string;
  /** Time for one append until it counts as unknown. */
  readonly appendDeadlineMs?: number;
  /** Something an operator must look at, in words: a range could not be created ahead in time. */
  readonly onAlarm?: (message: string) => void;
}

/** Far shorter than the fastest log fills half a range of 5,000,000 offsets (100,000/s: 25 s). */
const RANGES_EVERY_MS = 15_000;

/**
 * For what no request waits for. As long as a connection may take, and for the same reason: a process that starts on a busy
 * machine holds its own loop up for seconds, and ended because it took that for the log's silence.
 */
const SIDE_DEADLINE_MS = CONNECT_TIMEOUT_MS;

/** Keeps one statement's memory and time small; the writer's own limit is the same. */
const BATCH_BYTES_MAX = 512 * 1024;

type AppendRow = ['stored' | 'gap' | 'retired', string | null, readonly string[] | null];

/** The audit log in PostgreSQL: schema `log`, written through `log.append` alone, one round trip per send. */
export class PostgresAppendLog extends AppendLog {
  readonly durability = 'committed to PostgreSQL with fsync';
  readonly batchBytesMax = BATCH_BYTES_MAX;
  readonly #appends: PgConnection;
  readonly #side: PgConnection;
  readonly #combiner = new BatchCombiner((batches) => this.appendBatches(batches));
  readonly #ranges: NodeJS.Timeout;

  private constructor(
    private readonly options: PostgresAppendLogOptions,
    connections: { readonly appends: PgConnection; readonly side: PgConnection },
    readonly id: string,
    readonly partitionsPerTopic: number,
  ) {
    super();
    this.#appends = connections.appends;
    this.#side = connections.side;
    this.#ranges = setInterval(() => void this.#ensureRanges(), RANGES_EVERY_MS);
    this.#ranges.unref();
  }

  /** Throws `log_unavailable`, or `log_unsafe` as `check` does. The migrations must have run. */
  static async open(options: PostgresAppendLogOptions): Promise<PostgresAppendLog> {
    const connection = (role: string, deadlineMs: number) =>
      new PgConnection({
        url: options.url,
        applicationName: `${options.applicationName ?? 'custos'} ${role}`,
        deadlineMs,
      });
    const connections = {
      appends: connection('log append', options.appendDeadlineMs ?? 5_000),
      side: connection('log', SIDE_DEADLINE_MS),
    };
    try {
      const [identity] = await connections.side.run<[string, number]>({
        text: 'SELECT log_id, partitions_per_topic FROM log.identity',
        rowMode: 'array',
      });
      if (identity === undefined)
        throw auditLogError('log_unavailable', 'log.identity is empty: migrations have not run');
      const log = new PostgresAppendLog(
        options,
        connections,
        `postgres:${identity[0]}`,
        identity[1],
      );
      await log.#ensureRanges();
      await log.check();
      return log;
    } catch (error) {
      await Promise.all([connections.appends.close(), connections.side.close()]);
      throw error;
    }
  }

  async appendBatch(batch: AppendBatch): Promise<BatchReceipt> {
    checkBatch(batch);
    return this.#combiner.append(batch);
  }

  async appendBatches(
    batches: readonly AppendBatch[],
  ): Promise<PromiseSettledResult<BatchReceipt>[]> {
    const counts = new Array<number>(batches.length);
    const ends: number[] = [];
    const values: Uint8Array[] = [];
    let end = 0;
    batches.forEach((batch, b) => {
      counts[b] = batch.values.length;
      for (const value of batch.values) {
        values.push(value);
        ends.push((end += value.length));
      }
    });
    const rows = await this.#appends.run<AppendRow>({
      name: 'custos_append',
      text: 'SELECT outcome, base_offset, offsets FROM log.append($1, $2, $3, $4, $5, $6, $7)',
      rowMode: 'array',
      values: [
        batches.map((b) => b.topic),
        batches.map((b) => b.partition),
        batches.map((b) => b.writer),
        batches.map((b) => b.firstWseq),
        counts,
        `{${ends.join(',')}}`,
        Buffer.concat(values, end),
      ],
    });
    return batches.map((batch, b) => settle(batch, rows[b]));
  }

  consume(options: ConsumeOptions): Promise<void> {
    return consumePostgres(this.options.url, options);
  }

  async endOffsets(): Promise<readonly Position[]> {
    const rows = await this.#side.run<[Topic, number, string]>({
      text: 'SELECT topic, partition, next_offset FROM log.partition ORDER BY topic, partition',
      rowMode: 'array',
    });
    return rows.map(([topic, partition, next]) => ({ topic, partition, next: BigInt(next) }));
  }

  async retireWriter(writer: string): Promise<void> {
    await this.#side.run({
      text: 'SELECT log.retire_writer($1)',
      rowMode: 'array',
      values: [writer],
    });
  }

  /**
   * Refuses what would let a commit be lost: fsync or full_page_writes off; synchronous_commit off (also where a
   * role or database sets it so), or `local` although standbys are named. `log.append` refuses the same.
   */
  async check(): Promise<void> {
    const [row] = await this.#side.run<[string, string, string, string, boolean]>({
      text: `SELECT current_setting('fsync'), current_setting('full_page_writes'),
                    current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
                    pg_is_in_recovery()`,
      rowMode: 'array',
    });
    const [fsync, fullPageWrites, synchronousCommit, standbys, inRecovery] = row!;
    if (inRecovery) throw auditLogError('log_unavailable', 'this PostgreSQL is a standby');
    const unsafe = [
      ...(fsync === 'on' ? [] : ['fsync is off']),
      ...(fullPageWrites === 'on' ? [] : ['full_page_writes is off']),
      ...(synchronousCommit === 'off' || (synchronousCommit === 'local' && standbys !== '')
        ? [`synchronous_commit is ${synchronousCommit}`]
        : []),
    ];
    if (unsafe.length > 0) throw auditLogError('log_unsafe', unsafe.join('; '));
  }

  async close(): Promise<void> {
    clearInterval(this.#ranges);
    await Promise.all([this.#appends.close(), this.#side.close()]);
  }

  async #ensureRanges(): Promise<void> {
    try {
      const [row] = await this.#side.run<[number]>({
        text: 'SELECT log.ensure_ranges()',
        rowMode: 'array',
      });
      if (row![0] > 0)
        this.options.onAlarm?.('records lie in log.record_default: a range was created too late');
    } catch (error) {
      this.options.onAlarm?.(error instanceof Error ? error.message : 'ensure_ranges failed');
    }
  }
}

function settle(
  { writer, firstWseq }: AppendBatch,
  row: AppendRow | undefined,
): PromiseSettledResult<BatchReceipt> {
  const [outcome, base, offsets] = row ?? ['missing', null, null];
  switch (outcome) {
    case 'stored': {
      const baseOffset = BigInt(base!);
      const value =
        offsets === null ? { baseOffset } : { baseOffset, offsets: offsets.map((o) => BigInt(o)) };
      return { status: 'fulfilled', value };
    }
    case 'retired':
      return {
        status: 'rejected',
        reason: auditLogError('writer_retired', 'the writer was retired', { writer }),
      };
    case 'gap':
      return {
        status: 'rejected',
        reason: auditLogError('log_gap', 'the log does not know the sequence before this batch', {
          writer,
          firstWseq,
        }),
      };
    case 'missing':
      return {
        status: 'rejected',
        reason: auditLogError('log_unavailable', 'no answer for this batch', { writer }),
      };
  }
}

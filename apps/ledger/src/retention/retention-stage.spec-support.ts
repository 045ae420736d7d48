// A ledger whose log lies in the past: months go by at a word, and what was written then is old enough to go.
import { TOPICS, type EventData } from '#libs/audit-events';
import {
  AppendLog,
  PostgresAppendLog,
  type AppendBatch,
  type BatchReceipt,
  type ConsumeOptions,
  type Position,
} from '#libs/audit-log';
import type { AuditWriter } from '#libs/audit-log';
import { SystemClock } from '#libs/kernel';
import pg from 'pg';
import { LedgerStage } from '../ledger-stage.spec-support.js';
import type { LedgerOptions } from '../ledger.js';
import { RetentionPolicy } from './retention-policy.js';

/** Longer than any jump: nobody dies of it. */
const WRITER_SILENT_MS = 100 * 365 * 24 * 60 * 60_000;

/** A reader in the way is waited for half a second each time. */
const CUTS_TRIED = 15;

export class TravellingClock extends SystemClock {
  #offsetMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.#offsetMs;
  }

  goTo(time: Date): void {
    this.#offsetMs = time.getTime() - super.nowMs();
  }
}

/** A log that gives each record the time at which its writer said it. */
class TimedLog extends AppendLog {
  constructor(private readonly log: AppendLog) {
    super();
  }

  get id(): string {
    return this.log.id;
  }
  get partitionsPerTopic(): number {
    return this.log.partitionsPerTopic;
  }
  get durability(): string {
    return this.log.durability;
  }
  get batchBytesMax(): number {
    return this.log.batchBytesMax;
  }
  appendBatch(batch: AppendBatch): Promise<BatchReceipt> {
    return this.log.appendBatch(batch);
  }
  appendBatches(batches: readonly AppendBatch[]): Promise<PromiseSettledResult<BatchReceipt>[]> {
    return this.log.appendBatches(batches);
  }
  consume(options: ConsumeOptions): Promise<void> {
    return this.log.consume({
      ...options,
      onBatch: (records) =>
        options.onBatch(
          records.map((record) => {
            const { time } = JSON.parse(record.value.toString()) as { time: string };
            return { ...record, recordedAtMs: Date.parse(time) };
          }),
        ),
    });
  }
  endOffsets(): Promise<readonly Position[]> {
    return this.log.endOffsets();
  }
  retireWriter(writer: string): Promise<void> {
    return this.log.retireWriter(writer);
  }
  check(): Promise<void> {
    return this.log.check();
  }
  close(): Promise<void> {
    return this.log.close();
  }
}

/** The 15th of the month so many months ago, noon; of this month nothing that is still to come, which the database would not believe. */
export function monthsAgo(n: number): Date {
  const now = new Date();
  const noon = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n, 15, 12);
  return new Date(Math.min(noon, now.getTime()));
}

export const policyText = (changes: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({
      format: 'custos-retention-v1',
      ledger: 'main',
      keepMonths: 6,
      regimes: [{ id: 'eu-ai-act' }],
      approvedBy: [
        { name: 'A. Counsel', role: 'data protection officer', on: '2020-01-01' },
        { name: 'B. Records', role: 'records manager', on: '2020-01-01' },
      ],
      effectiveFrom: '2020-01-01',
      ...changes,
    }),
  );

export const policyOf = (changes: object = {}): RetentionPolicy =>
  RetentionPolicy.parse(policyText(changes), 'main');

export interface RetentionStage {
  readonly stage: LedgerStage;
  readonly clock: TravellingClock;
  readonly voice: AuditWriter;
  /** Starts, or starts again, with these options. */
  start(changes?: Partial<LedgerOptions>): Promise<void>;
  /** Generations said in that month, all in the books and every due cut made. */
  month(ago: number, generations: number): Promise<readonly string[]>;
  /** As nobody but the database's administrator could. */
  sql<R extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<readonly R[]>;
  hold(holdId: string, scope: EventData['custos.legal_hold.set.v1']['scope']): Promise<void>;
  lift(holdId: string): Promise<void>;
  close(): Promise<void>;
}

/** With the log in PostgreSQL, unless said otherwise. */
export async function openRetentionStage(
  openLog = (url: string): Promise<AppendLog> => PostgresAppendLog.open({ url }),
): Promise<RetentionStage> {
  const clock = new TravellingClock();
  clock.goTo(monthsAgo(14));
  const stage = await LedgerStage.open(async (url) => new TimedLog(await openLog(url)), clock);
  const voice = await stage.writer('ledger', TOPICS.ledger);
  const control = await stage.writer('control', TOPICS.control);
  const ingress = await stage.writer('ingress');
  const at = (): string => new Date(clock.nowMs()).toISOString();
  const by = { author: 'key:a', approver: 'key:b' };
  const sql = async <R extends pg.QueryResultRow>(text: string, values: unknown[] = []) => {
    const client = new pg.Client({ connectionString: stage.database.superuserUrl });
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  };
  /** The log's own table has the times as well: it lets nothing go by anybody else's clock. */
  const dateLog = () =>
    sql(`set session_replication_role = replica;
      update log.record set recorded_at = (convert_from(value, 'UTF8')::json->>'time')::timestamptz`);
  return {
    stage,
    clock,
    voice,
    start: async (changes = {}) => {
      await stage.startLedger({
        voice,
        retention: policyOf(),
        writerSilentMs: WRITER_SILENT_MS,
        ...changes,
      });
    },
    month: async (ago, generations) => {
      clock.goTo(monthsAgo(ago));
      const ids: string[] = [];
      while (ids.length < generations)
        ids.push(
          ...(await Promise.all(
            Array.from({ length: Math.min(50, generations - ids.length) }, () =>
              stage.complete(ingress),
            ),
          )),
        );
      await stage.settled();
      await dateLog();
      // It waits two seconds for the books to catch up, which a busy machine may take more than once.
      const { kept, retention } = stage.ledger;
      for (
        let tries = 0;
        tries < CUTS_TRIED && (await kept.monthToCut(clock.nowMs())) !== undefined;
        tries++
      )
        await retention.cutter.cutDue();
      return ids;
    },
    sql,
    hold: async (holdId, scope) => {
      const data = { holdId, at: at(), ...by, matter: 'case 1', reason: 'proceedings', scope };
      await stage.say(control, 'custos.legal_hold.set.v1', holdId, data);
    },
    lift: async (holdId) => {
      const data = { holdId, at: at(), ...by, reason: 'they are over' };
      await stage.say(control, 'custos.legal_hold.lifted.v1', holdId, data);
    },
    close: () => stage.close(),
  };
}

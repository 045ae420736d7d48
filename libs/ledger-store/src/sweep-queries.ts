import type { Pool } from 'pg';
import type { Topic } from '#libs/audit-events';
import type { GenerationState } from '#libs/ledger';

export interface WriterSeen {
  readonly writer: string;
  readonly app: string | null;
  readonly lastWseq: number;
  /** Time the log gave its last record, Unix ms. */
  readonly lastSeenAtMs: number;
}

export interface OpenGeneration {
  readonly id: string;
  readonly writer: string;
  readonly state: GenerationState;
  /** The plan's estimate of input tokens, for billing by progress. */
  readonly inputTokensEstimate: number;
}

export interface Position {
  readonly topic: Topic;
  readonly partition: number;
  readonly next: bigint;
}

/** What consumer and sweeper ask of the ledger's state. */
export class SweepQueries {
  constructor(private readonly pool: Pool) {}

  async positions(logId: string): Promise<readonly Position[]> {
    const { rows } = await this.pool.query<{
      topic: Topic;
      partition: number;
      next_offset: string;
    }>(`select topic, partition, next_offset from ledger.source_offset where log_id = $1`, [logId]);
    return rows.map((r) => ({
      topic: r.topic,
      partition: r.partition,
      next: BigInt(r.next_offset),
    }));
  }

  /** Writers that have neither stopped nor been retired. */
  async livingWriters(): Promise<readonly WriterSeen[]> {
    const { rows } = await this.pool.query<{
      writer: string;
      app: string | null;
      wseq: string;
      last_seen_at: Date | null;
    }>(
      `select writer, app, wseq, last_seen_at from ledger.writer_high_water
       where not stopped and not retired and wseq >= 0`,
    );
    return rows.map((r) => ({
      writer: r.writer,
      app: r.app,
      lastWseq: Number(r.wseq),
      lastSeenAtMs: r.last_seen_at?.getTime() ?? 0,
    }));
  }

  /** Open generations of these writers and of all that have ended. At most `max`, oldest first. */
  async abandoned(writers: readonly string[], max: number): Promise<readonly OpenGeneration[]> {
    const { rows } = await this.pool.query<{
      id: string;
      writer: string;
      state: GenerationState;
      estimate: string | null;
    }>(
      `select g.id, g.writer, g.state,
         (select convert_from(e.bytes, 'UTF8')::json -> 'data' -> 'plan' -> 'requirements' ->> 'inputTokensEstimate'
          from unnest(g.leaves) as x(leaf_index)
          join ledger.leaf l on l.leaf_index = x.leaf_index join ledger.entry e on e.leaf_index = x.leaf_index
          where l.effect = 'opened' limit 1) as estimate
       from ledger.open_generation o join ledger.generation g using (id)
       where o.writer = any($1::text[]) or exists (
         select from ledger.writer_high_water w
         where w.writer = o.writer and (w.stopped or w.retired))
       order by o.id limit $2`,
      [writers, max],
    );
    return rows.map((r) => ({
      id: r.id,
      writer: r.writer,
      state: r.state,
      inputTokensEstimate: tokensOf(r.estimate),
    }));
  }

  /** The database's clock, Unix ms: the log's times on PostgreSQL come from the same one. */
  async nowMs(): Promise<number> {
    const { rows } = await this.pool.query<{ now: Date }>('select clock_timestamp() as now');
    return rows[0]!.now.getTime();
  }
}

function tokensOf(text: string | null): number {
  const n = Math.round(Number(text ?? 0));
  return Number.isSafeInteger(n) && n >= 0 ? n : 0;
}

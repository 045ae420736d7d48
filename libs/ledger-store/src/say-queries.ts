import type { Pool } from 'pg';
import type { EventData } from '#libs/audit-events';
import { monthAfter } from '#libs/ledger';

/** What the ledger still owes the log, as it will be said. */
export interface Unsaid {
  readonly id: string;
  readonly subject: string;
  readonly data: EventData['custos.ledger.cost_differed.v1'];
}

/** What the ledger's voice asks of the books: what is to be said, and whether a month can close. */
export class SayQueries {
  constructor(private readonly pool: Pool) {}

  async unsaid(max: number): Promise<readonly Unsaid[]> {
    const { rows } = await this.pool.query<Unsaid>(
      `select id, subject, data from ledger.saying where said_leaf is null order by id limit $1`,
      [max],
    );
    return rows;
  }

  /** The first month that has something in it and is not closed, or the one after the last that is. */
  async monthToClose(): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ closed: string | null; first: string | null }>(
      `select (select max(period) from ledger.period) as closed, (select min(period) from ledger.journal) as first`,
    );
    const { closed = null, first = null } = rows[0] ?? {};
    return closed === null ? (first ?? undefined) : monthAfter(closed);
  }

  /**
   * True while something that happened before then still waits for its price book: at its end, or, where nobody saw that,
   * when it was received.
   */
  async unratedBefore(time: Date): Promise<boolean> {
    const { rows } = await this.pool.query<{ waits: boolean }>(
      `select exists (select from ledger.unrated_generation join ledger.generation using (id)
         where (closed_at < $1 or (status = 'recovered' and received_at < $1))) as waits`,
      [time],
    );
    return rows[0]?.waits ?? false;
  }

  /**
   * The newest time that the log gave a record of a writer that has not ended, Unix ms: a wrong one is gone with its writer's next
   * record, where that of an ended one stays.
   */
  async logTimeMs(): Promise<number> {
    const { rows } = await this.pool.query<{ at: Date | null }>(
      'select max(last_seen_at) as at from ledger.writer_high_water where not stopped and not retired',
    );
    return rows[0]?.at?.getTime() ?? 0;
  }
}

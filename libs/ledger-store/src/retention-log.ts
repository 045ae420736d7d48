import type { LeafRange } from './leaf-range.js';
import type { Queryable } from './log-queries.js';

/** Records deleted per statement: some 10 MB, a tenth of a second. */
const RECORDS_PER_STEP = 5_000;

/** `forgotten` also where it was before; `elsewhere`: their records are in another log. Anything else says why not. */
export type Forgetting =
  'forgotten' | 'elsewhere' | 'held' | 'too_young' | 'not_recorded' | 'not_removed';

/** From where on a partition of the log has every record. */
export interface LogBeginning {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
}

export interface LogKept {
  readonly begins: readonly LogBeginning[];
  /** Records that are no longer delivered and whose bytes are still there. */
  readonly unswept: bigint;
}

/** The log's own copies of what the archive has let go, where the log is in the ledger's database. */
export class LogRetention {
  constructor(private readonly db: Queryable) {}

  /** What the log has let go; undefined where this ledger's log is not in this database. */
  async kept(): Promise<LogKept | undefined> {
    if (!(await this.#isHere())) return undefined;
    const { rows } = await this.db.query<{
      topic: string;
      partition: number;
      offset: string;
      unswept: string;
    }>({
      text: `select topic, partition, max(end_offset) as "offset", sum(end_offset - swept_to) as unswept
        from log.forgotten group by topic, partition order by topic, partition`,
    });
    return {
      begins: rows.map(({ topic, partition, offset }) => ({ topic, partition, offset })),
      unswept: rows.reduce((sum, r) => sum + BigInt(r.unswept), 0n),
    };
  }

  /** Whether `sweep` has something to do, unless a hold keeps it. */
  async isUnswept(): Promise<boolean> {
    if (!(await this.#isHere())) return false;
    const { rowCount } = await this.db.query({
      text: 'select from log.forgotten where swept_to < end_offset limit 1',
    });
    return rowCount === 1;
  }

  /** Ranges of leaves that the archive has let go and the log has not yet, oldest first. */
  async unforgotten(): Promise<readonly LeafRange[]> {
    if (!(await this.#isHere())) return [];
    const { rows } = await this.db.query<{ first_leaf: string; end_leaf: string }>({
      text: `select distinct x.first_leaf, x.end_leaf from ledger.retention_range x
        where x.removed_at is not null and not exists (
          select from log.forgotten f where f.first_leaf = x.first_leaf and f.end_leaf = x.end_leaf)
        order by x.first_leaf`,
    });
    return rows.map((r) => ({ first: BigInt(r.first_leaf), end: BigInt(r.end_leaf) }));
  }

  /** Decides that their records are no longer delivered, if the database finds by itself that they may go. */
  async forget({ first, end }: LeafRange): Promise<Forgetting> {
    const { rows } = await this.db.query<{ forgetting: Forgetting }>({
      text: 'select log.forget($1, $2) as forgetting',
      values: [first.toString(), end.toString()],
    });
    return rows[0]!.forgetting;
  }

  /** Deletes a step of what was forgotten. Returns of how many records; undefined where nothing is left to do. */
  async sweep(): Promise<number | undefined> {
    const { rows } = await this.db.query<{ gone: string | null }>({
      text: 'select log.sweep($1) as gone',
      values: [RECORDS_PER_STEP],
    });
    const { gone } = rows[0]!;
    return gone === null ? undefined : Number(gone);
  }

  /** Drops a table of the log that is empty or was forgotten whole, in two calls; false where there is none. */
  async dropEmptyRange(): Promise<boolean> {
    const { rows } = await this.db.query<{ more: boolean }>({
      text: 'select log.drop_empty_range() as more',
    });
    return rows[0]!.more;
  }

  async #isHere(): Promise<boolean> {
    const { rows } = await this.db.query<{ there: boolean }>({
      text: `select to_regclass('log.forgotten') is not null as there`,
    });
    if (rows[0]?.there !== true) return false;
    const { rowCount } = await this.db.query({
      text: `select from ledger.source_offset s join log.identity i on s.log_id = 'postgres:' || i.log_id limit 1`,
    });
    return rowCount === 1;
  }
}

import pg, { type ClientBase, type Pool } from 'pg';
import { monthAfter, monthOf } from '#libs/ledger';
import type { LeafRange } from './leaf-range.js';
import { LogRetention, type LogKept } from './retention-log.js';
import { agedParts, restParts, type AgedPart } from './retention-parts.js';
import { removedEntries, type RemovedEntries } from './retention-removed.js';

const CONNECT_TIMEOUT_MS = 5_000;
/** Whether a hold covers half a million leaves takes seconds to find out, and nobody waits for it. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;
/** Generations whose documents are removed per statement: some 2 MB of row versions. */
const DOCUMENTS_PER_STEP = 500;

export interface StandingHold {
  readonly holdId: string;
  readonly leafIndex: bigint;
  /** As its record says it. */
  readonly said: object;
}

/** `removed` also where it was before; anything else says why not. */
export type Removal =
  | 'removed'
  | 'held'
  | 'too_young'
  | 'not_recorded'
  | 'not_a_partition'
  /** A reader stays on the entries, such as a backup: to be tried again. */
  | 'in_use';

const LOCK_NOT_AVAILABLE = '55P03';

/** What is old, what is held, what is gone; and the cuts that make months whole. */
export class RetentionQueries {
  constructor(
    private readonly pool: Pool,
    private readonly databaseUrl: string,
  ) {}

  /**
   * The first month whose beginning the newest leaf has passed, and `nowMs` as well, and at which the entries are not cut yet: after
   * a single leaf from years ahead no month until then would be cut.
   */
  async monthToCut(nowMs: number): Promise<string | undefined> {
    const { rows } = await this.pool.query<{
      cut: string | null;
      first: Date | null;
      newest: Date | null;
    }>(
      `select (select max(month) from ledger.entry_cut where cut_at is not null) as cut,
         (select recorded_at from ledger.leaf order by leaf_index limit 1) as first,
         (select recorded_at from ledger.leaf order by leaf_index desc limit 1) as newest`,
    );
    const { cut, first, newest } = rows[0]!;
    if (first === null || newest === null) return undefined;
    const next = monthAfter(cut ?? monthOf(first.toISOString()));
    const turnedMs = Math.min(newest.getTime(), nowMs);
    return next <= monthOf(new Date(turnedMs).toISOString()) ? next : undefined;
  }

  /**
   * Copies the partition that the month's beginning cuts into two halves: at the next whole bundle after the last record
   * before it. Readers and writers do not wait for it.
   */
  async stageCut(month: string): Promise<void> {
    await this.#patiently((client) => client.query('select ledger.stage_cut($1)', [month]));
  }

  /**
   * Puts the halves in its place. Between two batches, over the leader's connection. Undefined where a reader kept the
   * lock: to be tried again.
   */
  async finishCut(client: ClientBase, month: string): Promise<{ boundary: bigint } | undefined> {
    return orInUse(async () => {
      const { rows } = await client.query<{ boundary: string }>(
        'select ledger.finish_cut($1) as boundary',
        [month],
      );
      return { boundary: BigInt(rows[0]!.boundary) };
    });
  }

  /** Partitions of which every record is older, oldest first, with the hold that keeps them. */
  aged(before: string, max: number, after = 0n): Promise<readonly AgedPart[]> {
    return this.#patiently((client) => agedParts(client, before, max, after));
  }

  /** Ranges that are gone but for records on which others rest: `remove` lets go of those that nothing needs any more. */
  rests(): Promise<readonly LeafRange[]> {
    return restParts(this.pool);
  }

  /** True where a record in the log says already that exactly these are to go. */
  async isRecorded({ range }: AgedPart): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `select from ledger.retention_range
       where first_leaf = $1 and end_leaf = $2 and first_hash = $3 and last_hash = $4 limit 1`,
      [range.firstLeaf, range.endLeaf, hashOf(range.firstHash), hashOf(range.lastHash)],
    );
    return rowCount === 1;
  }

  /** Removes the entries of a whole partition, if the database finds by itself that they may go. */
  async remove({ first, end }: LeafRange): Promise<Removal> {
    return this.#patiently(async (client) => {
      const removed = await orInUse(async () => {
        const { rows } = await client.query<{ removal: Removal }>(
          'select ledger.remove_entries($1, $2) as removal',
          [first.toString(), end.toString()],
        );
        return rows[0]!.removal;
      });
      return removed ?? 'in_use';
    });
  }

  /** The newest record under which documents go; undefined before the first. */
  async newestRecord(): Promise<{ leafIndex: bigint; before: string } | undefined> {
    const { rows } = await this.pool.query<{ leaf_index: string; before: Date }>(
      'select leaf_index, before from ledger.retention order by before desc, leaf_index desc limit 1',
    );
    const [row] = rows;
    return row && { leafIndex: BigInt(row.leaf_index), before: row.before.toISOString() };
  }

  /**
   * Removes the documents of generations received and first recorded before the record's time (the gateway's clock and the
   * log's), but of those that are under hold, are not over or wait for their price. Returns of how many. Can be begun again
   * at any point.
   */
  async removeDocuments(
    { leafIndex, before }: { leafIndex: bigint; before: string },
    signal: AbortSignal,
  ): Promise<number> {
    return this.#patiently(async (client) => {
      let removed = 0;
      let after: readonly [string, string] = ['-infinity', ''];
      while (!signal.aborted) {
        const { rows } = await client.query<{ id: string; received: string }>(
          `select id, received_at::text as received from ledger.generation
           where received_at < $1 and (received_at, id) > ($2, $3) order by received_at, id limit $4`,
          [before, ...after, DOCUMENTS_PER_STEP],
        );
        const last = rows.at(-1);
        if (last === undefined) break;
        const { rowCount } = await client.query(
          `update ledger.generation g
           set removed_by = $2
           where g.id = any($1::text[]) and g.status <> 'open' and g.removed_by is null
             and not (g.price_book is not null and g.closed_at is not null and g.rated_at is null)
             and coalesce((select l.recorded_at from ledger.leaf l where l.leaf_index = g.leaves[1]) < $3, true)
             and not exists (select from ledger.legal_hold h where ledger.covers(h, g, g.received_at) or exists (
               select from unnest(g.leaves) i join ledger.leaf l on l.leaf_index = i where ledger.covers(h, g, l.recorded_at)))`,
          [rows.map((r) => r.id), leafIndex.toString(), before],
        );
        removed += rowCount ?? 0;
        after = [last.received, last.id];
      }
      return removed;
    });
  }

  /** Entries that are gone, in the order of their leaves. */
  removed(): Promise<readonly RemovedEntries[]> {
    return removedEntries(this.pool);
  }

  /** What the log itself has let go; undefined where it is not in this database. */
  logKept(): Promise<LogKept | undefined> {
    return new LogRetention(this.pool).kept();
  }

  /** Whether the log has bytes of records that it has let go. */
  isLogUnswept(): Promise<boolean> {
    return new LogRetention(this.pool).isUnswept();
  }

  /** Lets the log go of what the archive has let go, over a connection of its own. */
  onLog<T>(work: (log: LogRetention) => Promise<T>): Promise<T> {
    return this.#patiently((client) => work(new LogRetention(client)));
  }

  async holdsInForce(): Promise<readonly StandingHold[]> {
    const { rows } = await this.pool.query<{ hold_id: string; set_leaf: string; said: object }>(
      `select hold_id, set_leaf, set_said as said from ledger.legal_hold
       where set_leaf is not null and lifted_leaf is null order by set_leaf`,
    );
    return rows.map((r) => ({ holdId: r.hold_id, leafIndex: BigInt(r.set_leaf), said: r.said }));
  }

  /** Over a connection of its own: the pool's statements must be short. */
  async #patiently<T>(work: (client: ClientBase) => Promise<T>): Promise<T> {
    const client = new pg.Client({
      connectionString: this.databaseUrl,
      application_name: 'custos ledger retention',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
    });
    // A loss while nothing is asked shows at the next query.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

const hashOf = (digest: string): Buffer => Buffer.from(digest.slice('sha256:'.length), 'hex');

async function orInUse<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === LOCK_NOT_AVAILABLE) return undefined;
    throw error;
  }
}

import pg from 'pg';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import {
  journalRecord,
  SELECT_JOURNALS_BETWEEN,
  type JournalDocument,
  type JournalRecord,
} from './journal-records.js';
import { LogQueries } from './log-queries.js';
import type { CitedPriceBook } from './receipt-queries.js';
import type { LeafRange } from './leaf-range.js';
import { removedEntries, type RemovedEntries } from './retention-removed.js';

/** Sums over all postings of a large ledger take minutes. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;
/** A reader that takes nothing for this long must not hold the snapshot, and with it dead rows, any longer. */
const IDLE_TIMEOUT_MS = 5 * 60_000;
const ROWS_PER_FETCH = 500;

export interface AccountBalance {
  readonly account: string;
  readonly amountPicoUsd: string;
}

export interface StoredTimeStamp {
  readonly size: bigint;
  readonly tsa: string;
  readonly token: Buffer;
}

/** The ledger at one instant, over a connection of its own: everything read here belongs together. Must be closed. */
export class ExportSnapshot {
  readonly log: LogQueries;

  private constructor(private readonly client: pg.Client) {
    this.log = new LogQueries(client);
  }

  static async open(databaseUrl: string): Promise<ExportSnapshot> {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'custos ledger export',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
      keepAlive: true,
    });
    // A loss while nothing is asked shows at the next query.
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('begin isolation level repeatable read read only');
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    return new ExportSnapshot(client);
  }

  async close(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }

  /**
   * The leaves below `size` that cover every record that the log took from `from` (inclusive) to `to` (exclusive).
   * Partitions are read side by side, so that leaves of neighbouring times may lie within it as well.
   */
  async rangeOf(
    from: string | undefined,
    to: string | undefined,
    size: bigint,
  ): Promise<LeafRange> {
    const end = to === undefined ? size : await this.#edge('<', to, size, 'desc', -1n);
    const first = from === undefined ? 0n : await this.#edge('>=', from, size, 'asc', size);
    return { first, end: to === undefined ? size : end + 1n };
  }

  removed(): Promise<readonly RemovedEntries[]> {
    return removedEntries(this.client);
  }

  async journalCount({ first, end }: LeafRange): Promise<number> {
    const { rows } = await this.client.query<{ n: string }>(
      `select count(*) as n from ledger.journal where leaf_index >= $1 and leaf_index < $2`,
      [first.toString(), end.toString()],
    );
    return Number(rows[0]!.n);
  }

  async *journals({ first, end }: LeafRange): AsyncGenerator<JournalRecord> {
    const bounds = [first.toString(), end.toString()];
    for await (const row of this.#stream<JournalDocument>(SELECT_JOURNALS_BETWEEN, bounds))
      yield journalRecord(row);
  }

  /** What every account had after the journals of the leaves below `end`, by name; accounts at zero are left out. */
  async *balances(end: bigint): AsyncGenerator<AccountBalance> {
    const text = `select a.name as account, sum(p.amount)::text as "amountPicoUsd"
      from ledger.posting p join ledger.journal j on j.id = p.journal_id join ledger.account a on a.id = p.account_id
      where j.leaf_index < $1 group by a.name having sum(p.amount) <> 0 order by a.name collate "C"`;
    yield* this.#stream<AccountBalance>(text, [end.toString()]);
  }

  /** Versions that journals or openings of these leaves cite, as far as they are here. */
  async priceBooks({ first, end }: LeafRange): Promise<readonly CitedPriceBook[]> {
    const { rows } = await this.client.query<CitedPriceBook>(
      `select version, encode(sha256, 'hex') as sha256 from ledger.price_book where version in (
         select price_book from ledger.journal where leaf_index >= $1 and leaf_index < $2
         union select g.price_book from ledger.leaf l join ledger.generation g on g.id = l.generation_id
         where l.leaf_index >= $1 and l.leaf_index < $2)
       order by version`,
      [first.toString(), end.toString()],
    );
    return rows;
  }

  async priceBook(version: string): Promise<Buffer | undefined> {
    const { rows } = await this.client.query<{ bytes: Buffer }>(
      `select bytes from ledger.price_book where version = $1`,
      [version],
    );
    return rows[0]?.bytes;
  }

  /** Of checkpoints above `after` and up to `size`, newest first, at most `max`. */
  async timeStamps(after: bigint, size: bigint, max: number): Promise<readonly StoredTimeStamp[]> {
    const { rows } = await this.client.query<{ size: string; tsa: string; token: Buffer }>(
      `select size, tsa, token from ledger.time_stamp
       where ledger_id = ledger.id() and size > $1 and size <= $2 order by size desc, tsa limit $3`,
      [after.toString(), size.toString(), max],
    );
    return rows.map((r) => ({ size: BigInt(r.size), tsa: r.tsa, token: r.token }));
  }

  async #edge(
    is: '<' | '>=',
    time: string,
    size: bigint,
    order: 'asc' | 'desc',
    none: bigint,
  ): Promise<bigint> {
    const { rows } = await this.client.query<{ leaf_index: string }>(
      `select leaf_index from ledger.leaf where leaf_index < $2 and recorded_at ${is} $1
       order by leaf_index ${order} limit 1`,
      [time, size.toString()],
    );
    return rows[0] === undefined ? none : BigInt(rows[0].leaf_index);
  }

  /** A cursor: whatever is asked for, a few hundred rows are in memory. */
  async *#stream<R extends pg.QueryResultRow>(
    text: string,
    values: readonly string[],
  ): AsyncGenerator<R> {
    await this.client.query(`declare export_rows no scroll cursor for ${text}`, [...values]);
    for (;;) {
      const { rows } = await this.client.query<R>(`fetch ${ROWS_PER_FETCH} from export_rows`);
      yield* rows;
      if (rows.length < ROWS_PER_FETCH) break;
    }
    await this.client.query('close export_rows');
  }
}

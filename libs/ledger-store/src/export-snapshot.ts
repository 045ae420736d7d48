import pg from 'pg';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import { CitedQueries } from './cited-queries.js';
import {
  journalRecord,
  SELECT_JOURNALS_BETWEEN,
  type JournalDocument,
  type JournalRecord,
} from './journal-records.js';
import { LogQueries } from './log-queries.js';
import type { CitedPriceBook } from './receipt-queries.js';
import type { LeafRange } from './leaf-range.js';
import { leavesOfTime } from './leaf-times.js';
import { removedEntries, type RemovedEntries } from './retention-removed.js';

/** Sums over all postings of a large ledger take minutes. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;
/** A reader that takes nothing for this long must not hold the snapshot, and with it dead rows, any longer. */
const IDLE_TIMEOUT_MS = 5 * 60_000;
const ROWS_PER_FETCH = 500;

/** SQL: of a stored price book `b`, whether generations that cite it are still to be settled. */
const OWED = `exists (select from ledger.unrated_generation u where u.price_book = b.version)`;

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
  readonly cited: CitedQueries;

  private constructor(private readonly client: pg.Client) {
    this.log = new LogQueries(client);
    this.cited = new CitedQueries(client);
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

  /** The leaves below `size` that cover every record of that time: `leavesOfTime`. */
  rangeOf(from: string | undefined, to: string | undefined, size: bigint): Promise<LeafRange> {
    return leavesOfTime(this.client, from, to, size);
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

  /**
   * Versions that journals or openings of these leaves cite, as far as they are here. One that has come late counts as not
   * here until all that waited for it is settled: with it journals would follow that are still to be written.
   */
  async priceBooks({ first, end }: LeafRange): Promise<readonly CitedPriceBook[]> {
    const { rows } = await this.client.query<CitedPriceBook>(
      `select version, encode(sha256, 'hex') as sha256 from ledger.price_book b
       where not (${OWED}) and version in (
         select price_book from ledger.journal where leaf_index >= $1 and leaf_index < $2
         union select g.price_book from ledger.leaf l join ledger.generation g on g.id = l.generation_id
         where l.leaf_index >= $1 and l.leaf_index < $2)
       order by version`,
      [first.toString(), end.toString()],
    );
    return rows;
  }

  /** Versions that have come late, and for which generations still wait. */
  async owedPriceBooks(): Promise<readonly string[]> {
    const { rows } = await this.client.query<{ version: string }>(
      `select version from ledger.price_book b where ${OWED} order by version`,
    );
    return rows.map((r) => r.version);
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

import pg from 'pg';
import type { Payer } from '#libs/audit-events';
import type { CustomerJournal } from '#libs/ledger';
import { CONNECT_TIMEOUT_MS } from '#libs/platform';
import {
  accountsOf,
  customerJournals,
  customerOf,
  type CustomerJournalRow,
  type JournalFilter,
} from './statement-queries.js';
import { StatementRatings, type RatingTerms } from './statement-ratings.js';

/** Sorting the journals of a large month takes a while before the first row. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;
const IDLE_TIMEOUT_MS = 5 * 60_000;
const ROWS_PER_FETCH = 500;

/** The books at one instant, as statements read them, over a connection of its own. Must be closed. */
export class StatementSnapshot {
  readonly #ratings: StatementRatings;
  #told: (() => void) | undefined;

  private constructor(
    private readonly client: pg.Client,
    terms: RatingTerms,
  ) {
    this.#ratings = new StatementRatings(client, terms);
  }

  static async open(databaseUrl: string, terms: RatingTerms): Promise<StatementSnapshot> {
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'custos ledger statements',
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
    return new StatementSnapshot(client, terms);
  }

  /** Called when it is closed, however that comes. */
  onClosed(told: () => void): void {
    this.#told = told;
  }

  async close(): Promise<void> {
    const told = this.#told;
    this.#told = undefined;
    await this.client.end().catch(() => undefined);
    told?.();
  }

  /** Journals on customers' accounts in id order, a few hundred in memory; each with how it was rated. */
  async *journals(filter: JournalFilter): AsyncGenerator<CustomerJournal> {
    const { text, values } = customerJournals(filter);
    await this.client.query(`declare customer_journals no scroll cursor for ${text}`, values);
    for (;;) {
      const { rows } = await this.client.query<CustomerJournalRow>(
        `fetch ${ROWS_PER_FETCH} from customer_journals`,
      );
      yield* await this.#ratings.rated(rows);
      if (rows.length < ROWS_PER_FETCH) break;
    }
    await this.client.query('close customer_journals');
  }

  /** What the postings of a month add up to on an organisation's accounts, its rounding left out. */
  async sums(
    organisation: string,
    month: string,
    size: bigint,
  ): Promise<Readonly<Record<Payer, bigint>> & { readonly journals: number }> {
    const { rows } = await this.client.query<{ name: string; sum: string; journals: string }>(
      `select a.name, sum(p.amount)::text as sum, count(*) as journals
       from ledger.journal j join ledger.posting p on p.journal_id = j.id
       join ledger.account a on a.id = p.account_id
       where j.period = $1 and j.leaf_index < $2 and a.name = any($3::text[]) and j.kind <> 'rounding'
       group by a.name`,
      [month, size.toString(), accountsOf(organisation)],
    );
    const sums = { receivable: 0n, prepaid: 0n, journals: 0 };
    for (const { name, sum, journals } of rows) {
      sums[customerOf(name).payer] = BigInt(sum);
      sums.journals += Number(journals);
    }
    return sums;
  }

  /** Credit that an organisation had at hand when the month began. */
  async creditBefore(organisation: string, month: string, size: bigint): Promise<bigint> {
    const { rows } = await this.client.query<{ sum: string | null }>(
      `select sum(p.amount)::text as sum
       from ledger.posting p join ledger.account a on a.id = p.account_id join ledger.journal j on j.id = p.journal_id
       where a.name = $1 and j.period < $2 and j.leaf_index < $3`,
      [`customer:${organisation}:prepaid`, month, size.toString()],
    );
    return -BigInt(rows[0]?.sum ?? 0);
  }

  /** Numbers of the invoices, by month and organisation. */
  async invoiceNumbers(): Promise<ReadonlyMap<string, string>> {
    const { rows } = await this.client.query<{ key: string; number: string }>(
      `select period || '/' || organisation_id as key, number from ledger.invoice`,
    );
    return new Map(rows.map((r) => [r.key, r.number]));
  }
}

import type { Pool } from 'pg';
import { monthAfter } from '#libs/ledger';
import { customerOf } from './statement-queries.js';

/** An invoice as its record says it. Amounts are decimal strings of pico-USD. */
export interface IssuedInvoice {
  readonly number: string;
  readonly organisationId: string;
  readonly period: string;
  readonly issuedAt: string;
  readonly digest: string;
  readonly exactPicoUsd: string;
  readonly payablePicoUsd: string;
  readonly size: bigint;
  /** `sha256:` and hex. */
  readonly root: string;
  readonly leafIndex: string;
}

export interface InvoiceFilter {
  readonly organisation?: string | undefined;
  readonly month?: string | undefined;
  /** `month/organisation` of the last one seen. */
  readonly after?: string | undefined;
  readonly limit: number;
}

interface Row {
  readonly number: string;
  readonly organisation_id: string;
  readonly period: string;
  readonly issued_at: Date;
  readonly digest: string;
  readonly exact: string;
  readonly payable: string;
  readonly size: string;
  readonly root: string;
  readonly leaf_index: string;
}

const COLUMNS = `number, organisation_id, period, issued_at, digest, exact::text, payable::text, size, root, leaf_index`;

/** Invoices that were issued, their documents, and months that want theirs. */
export class InvoiceQueries {
  constructor(private readonly pool: Pool) {}

  async issued(organisation: string, month: string): Promise<IssuedInvoice | undefined> {
    const { rows } = await this.pool.query<Row>(
      `select ${COLUMNS} from ledger.invoice where period = $1 and organisation_id = $2`,
      [month, organisation],
    );
    return rows.map(invoiceOf)[0];
  }

  /** True where the tree that the record cites is this one: books made again in another order have another. */
  async citesThisTree({ size, root }: Pick<IssuedInvoice, 'size' | 'root'>): Promise<boolean> {
    const { rows } = await this.pool.query<{ cites: boolean }>(
      `select exists (select from ledger.checkpoint where size = $1 and encode(root, 'hex') = $2) as cites`,
      [size.toString(), root.replace('sha256:', '')],
    );
    return rows[0]?.cites ?? false;
  }

  /** By month and organisation, newest month first. */
  async list({ organisation, month, after, limit }: InvoiceFilter): Promise<IssuedInvoice[]> {
    const values: (string | number)[] = [];
    const where = ['true'];
    const demand = (sql: (n: string) => string, value: string | undefined): void => {
      if (value !== undefined) where.push(sql(`$${values.push(value)}`));
    };
    demand((n) => `organisation_id = ${n}`, organisation);
    demand((n) => `period = ${n}`, month);
    const [afterPeriod, ...rest] = after?.split('/') ?? [];
    if (afterPeriod !== undefined) {
      const [p, o] = [`$${values.push(afterPeriod)}`, `$${values.push(rest.join('/'))}`];
      where.push(`(period < ${p} or (period = ${p} and organisation_id > ${o}))`);
    }
    const { rows } = await this.pool.query<Row>(
      `select ${COLUMNS} from ledger.invoice where ${where.join(' and ')}
       order by period desc, organisation_id limit $${values.push(limit)}`,
      values,
    );
    return rows.map(invoiceOf);
  }

  /** True where the record that closed the month lies below `size`. */
  async isClosed(month: string, size: bigint): Promise<boolean> {
    const { rows } = await this.pool.query<{ closed: boolean }>(
      `select coalesce(max(period) >= $1, false) as closed from ledger.period where leaf_index < $2`,
      [month, size.toString()],
    );
    return rows[0]?.closed ?? false;
  }

  /** True while something that is to be posted into the month, or one before, waits for its price book. */
  async awaitsPrices(month: string): Promise<boolean> {
    const { rows } = await this.pool.query<{ waits: boolean }>(
      `select exists (select from ledger.unrated_generation join ledger.generation using (id)
         where (closed_at < $1 or (status = 'recovered' and received_at < $1))
           and coalesce(state->'close'->>'openFrom', '') <= $2) as waits`,
      [`${monthAfter(month)}-01T00:00:00.000Z`, month],
    );
    return rows[0]?.waits ?? false;
  }

  /** Oldest first. */
  async closedMonths(): Promise<
    readonly { readonly period: string; readonly leafIndex: bigint }[]
  > {
    const { rows } = await this.pool.query<{ period: string; leaf_index: string }>(
      'select period, leaf_index from ledger.period order by period',
    );
    return rows.map((r) => ({ period: r.period, leafIndex: BigInt(r.leaf_index) }));
  }

  /** Organisations that have something in the month and no invoice for it, and how many have one. */
  async due(
    month: string,
  ): Promise<{ readonly organisations: readonly string[]; readonly issued: number }> {
    const { rows } = await this.pool.query<{ name: string }>(
      `select distinct a.name from ledger.journal j join ledger.posting p on p.journal_id = j.id
       join ledger.account a on a.id = p.account_id
       where j.period = $1 and a.name like 'customer:%'`,
      [month],
    );
    const issued = await this.pool.query<{ organisation_id: string }>(
      'select organisation_id from ledger.invoice where period = $1',
      [month],
    );
    const have = new Set(issued.rows.map((r) => r.organisation_id));
    const all = new Set(rows.map((r) => customerOf(r.name).organisationId));
    return {
      organisations: [...all].filter((id) => !have.has(id)).sort(),
      issued: have.size,
    };
  }

  async document(digest: string): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ document: string }>(
      'select document from ledger.invoice_document where digest = $1',
      [digest],
    );
    return rows[0]?.document;
  }

  async keepDocument(digest: string, document: string): Promise<void> {
    await this.pool.query(
      'insert into ledger.invoice_document (digest, document) values ($1, $2) on conflict do nothing',
      [digest, document],
    );
  }
}

const invoiceOf = (r: Row): IssuedInvoice => ({
  number: r.number,
  organisationId: r.organisation_id,
  period: r.period,
  issuedAt: r.issued_at.toISOString(),
  digest: r.digest,
  exactPicoUsd: r.exact,
  payablePicoUsd: r.payable,
  size: BigInt(r.size),
  root: r.root,
  leafIndex: r.leaf_index,
});

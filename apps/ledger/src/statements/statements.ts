import type { Pool } from 'pg';
import type { PrincipalDirectory } from '#libs/identity';
import { canonicalJson, DomainError } from '#libs/kernel';
import {
  formatCents,
  PICO_USD_PER_CENT,
  StatementBuilder,
  statementDigest,
  type FocusContext,
  type Statement,
} from '#libs/ledger';
import {
  InvoiceQueries,
  PriceBooks,
  StatementSnapshot,
  type IssuedInvoice,
  type JournalFilter,
  type PublishedCheckpoint,
} from '#libs/ledger-store';
import type { SnapshotSource } from '#libs/platform';
import type { TransparencyLog } from '../checkpoint/transparency-log.js';
import { PricedBooks } from '../consume/priced-books.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';
import type { InvoiceDocument } from './invoice-document.js';

/** Each holds a connection and reads a month; more at once would starve the sequencer of the same database. */
const STATEMENTS_MAX = 4;

export interface StatementsOptions {
  readonly databaseUrl: string;
  readonly pool: Pool;
  readonly tree: Pick<TransparencyLog, 'identity' | 'believed'>;
  readonly ledgerId: string;
  readonly principals: SnapshotSource<PrincipalDirectory>;
  /** Name and address on invoices, in lines; default: the log's origin. */
  readonly issuer?: string | undefined;
}

/** Statements, invoices and the FOCUS export: what the books say to those who pay. Reads only. */
export class Statements {
  readonly invoices: InvoiceQueries;
  readonly issuer: string;
  readonly #books: PricedBooks;
  #running = 0;

  constructor(private readonly options: StatementsOptions) {
    this.invoices = new InvoiceQueries(options.pool);
    this.#books = new PricedBooks(new PriceBooks(options.pool));
    this.issuer = options.issuer ?? `Ledger ${options.tree.identity.origin}`;
  }

  /**
   * An organisation's invoice for a month, or its running statement. Throws `statement_busy` where there is no room or no
   * checkpoint yet, `statement_unbalanced` where the lines are not the postings: then there is no document.
   */
  async document(organisation: string, month: string): Promise<InvoiceDocument> {
    const issued = await this.invoices.issued(organisation, month);
    if (issued !== undefined) return this.#issued(issued);
    const checkpoint = await this.checkpoint();
    const closed = await this.invoices.isClosed(month, checkpoint.size);
    const statement = await this.statement(organisation, month, checkpoint.size);
    return this.#document(statement, {
      status: closed ? 'closed' : 'running',
      digest: statementDigest(statement),
      size: checkpoint.size.toString(),
      root: checkpoint.root.toString('hex'),
    });
  }

  /** The statement of what leaves below `size` have posted. One pass over the month; memory follows the lines. */
  async statement(organisation: string, month: string, size: bigint): Promise<Statement> {
    return this.#within(async (snapshot) => {
      const builder = new StatementBuilder(organisation, month);
      const filter: JournalFilter = { organisation, month, size, withRounding: false };
      for await (const journal of snapshot.journals(filter)) builder.take(journal);
      const sums = await snapshot.sums(organisation, month, size);
      const unequal = (['receivable', 'prepaid'] as const).some(
        (payer) => sums[payer] !== builder.sumOf(payer),
      );
      if (unequal || sums.journals !== builder.journals)
        throw new DomainError<LedgerAppErrorCode>(
          'statement_unbalanced',
          'The lines of the statement are not the postings of its month.',
        );
      return builder.finish(await snapshot.creditBefore(organisation, month, size));
    });
  }

  /** What no checkpoint covers is on no document. Throws `statement_busy` before the first one. */
  async checkpoint(): Promise<PublishedCheckpoint> {
    const checkpoint = await this.options.tree.believed();
    if (checkpoint === undefined) throw busy('There is no checkpoint yet that can be believed.');
    return checkpoint;
  }

  /** A snapshot that the caller must close, once. Throws `statement_busy`. */
  async openSnapshot(): Promise<StatementSnapshot> {
    if (this.#running >= STATEMENTS_MAX) throw busy('Other statements are being made.');
    this.#running++;
    try {
      const snapshot = await StatementSnapshot.open(this.options.databaseUrl, {
        loadPrices: (versions) => this.#books.load(versions),
        pricesOf: (version) => this.#books.pricesOf(version),
      });
      snapshot.onClosed(() => this.#running--);
      return snapshot;
    } catch (error) {
      this.#running--;
      throw error;
    }
  }

  focusContext(invoiceNumbers: ReadonlyMap<string, string>): FocusContext {
    const names = this.options.principals.current()?.value;
    return {
      origin: this.options.tree.identity.origin,
      issuer: this.issuer.split('\n')[0]!,
      organisationName: (id) => names?.nameOf('organisation', id),
      workspaceName: (id) => names?.nameOf('workspace', id),
      invoiceNumber: (organisation, period) => invoiceNumbers.get(`${period}/${organisation}`),
    };
  }

  /** Kept beside its record, or made again; in this tree it is, to the byte, the one that the record cites. */
  async #issued(invoice: IssuedInvoice): Promise<InvoiceDocument> {
    const kept = await this.invoices.document(invoice.digest);
    if (kept === undefined && !(await this.invoices.citesThisTree(invoice)))
      return this.#remade(invoice);
    const statement =
      kept === undefined
        ? await this.statement(invoice.organisationId, invoice.period, invoice.size)
        : (JSON.parse(kept) as Statement);
    if (statementDigest(statement) !== invoice.digest) throw notAsCited();
    return this.#document(statement, {
      ...headOf(invoice),
      digest: invoice.digest,
      size: invoice.size.toString(),
      root: invoice.root.replace('sha256:', ''),
    });
  }

  /**
   * In books that were made again in another order the leaves have other numbers, and so the document has another digest.
   * It must ask for what the record asks for: exactly by the journals of its month, rounded as it was issued. Nothing was
   * added to that month since, so that all of it counts.
   */
  async #remade(invoice: IssuedInvoice): Promise<InvoiceDocument> {
    const { organisationId, period, exactPicoUsd, payablePicoUsd, digest, size, root } = invoice;
    const checkpoint = await this.checkpoint();
    const made = await this.statement(organisationId, period, checkpoint.size);
    if (made.totals.exactPicoUsd !== exactPicoUsd) throw notAsCited();
    const payable = BigInt(payablePicoUsd);
    const totals = {
      ...made.totals,
      payablePicoUsd,
      payableUsd: formatCents(payable / PICO_USD_PER_CENT),
      roundingPicoUsd: (payable - BigInt(exactPicoUsd)).toString(),
    };
    const statement = { ...made, totals };
    const document = this.#document(statement, {
      ...headOf(invoice),
      digest: statementDigest(statement),
      size: checkpoint.size.toString(),
      root: checkpoint.root.toString('hex'),
    });
    const cited = { digest, size: size.toString(), root: root.replace('sha256:', '') };
    return { ...document, remade: cited };
  }

  #document(
    statement: Statement,
    said: Pick<InvoiceDocument, 'status' | 'number' | 'issuedAt' | 'digest'> &
      Pick<InvoiceDocument['evidence'], 'size' | 'root' | 'leafIndex'>,
  ): InvoiceDocument {
    const { size, root, leafIndex, ...head } = said;
    const { origin, verifierKey } = this.options.tree.identity;
    const names = this.options.principals.current()?.value;
    const name = names?.nameOf('organisation', statement.organisationId);
    const workspaces: Record<string, string> = {};
    for (const { workspaceId } of statement.lines) {
      const called = names?.nameOf('workspace', workspaceId);
      if (called !== undefined) workspaces[workspaceId] = called;
    }
    return {
      format: 'custos-invoice-v1',
      ...head,
      issuer: this.issuer,
      organisation: { id: statement.organisationId, ...(name !== undefined && { name }) },
      workspaces,
      statement,
      evidence: {
        ledgerId: this.options.ledgerId,
        origin,
        verifierKey,
        size,
        root,
        ...(leafIndex !== undefined && { leafIndex }),
      },
    };
  }

  async #within<T>(work: (snapshot: StatementSnapshot) => Promise<T>): Promise<T> {
    const snapshot = await this.openSnapshot();
    try {
      return await work(snapshot);
    } finally {
      await snapshot.close();
    }
  }
}

const headOf = ({ number, issuedAt, leafIndex }: IssuedInvoice) =>
  ({ status: 'issued', number, issuedAt, leafIndex }) as const;

const notAsCited = (): DomainError =>
  new DomainError<LedgerAppErrorCode>(
    'statement_unbalanced',
    'The invoice is not the one that its record cites.',
  );

/** The bytes that are kept and digested. */
export const statementText = (statement: Statement): string => canonicalJson(statement);

const busy = (message: string): DomainError =>
  new DomainError<LedgerAppErrorCode>('statement_busy', message);

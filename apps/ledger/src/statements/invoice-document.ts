import type { Statement } from '#libs/ledger';

/**
 * A statement with what makes it a document. `issued`: the one invoice of its month. `closed`: nothing will be added to
 * its month, its invoice comes (or there is nothing to invoice). `running`: the month goes on.
 */
export interface InvoiceDocument {
  readonly format: 'custos-invoice-v1';
  readonly status: 'issued' | 'closed' | 'running';
  /** Of an issued one. */
  readonly number?: string;
  readonly issuedAt?: string;
  /** Who asks for the money, in lines. */
  readonly issuer: string;
  readonly organisation: { readonly id: string; readonly name?: string };
  readonly workspaces: Readonly<Record<string, string>>;
  readonly statement: Statement;
  /** Of the statement's canonical JSON (RFC 8785); an issued one's stands in the record that issued it. */
  readonly digest: string;
  /** The tree that it rests on: every journal counted follows from a leaf below `size`. */
  readonly evidence: {
    readonly ledgerId: string;
    readonly origin: string;
    readonly verifierKey: string;
    readonly size: string;
    /** Hex. */
    readonly root: string;
    /** Of an issued one: the leaf that issued it. */
    readonly leafIndex?: string;
  };
  /**
   * Of an issued one, in books that were made again in another order: what the record cites. It asks for the same; its
   * leaves have other numbers.
   */
  readonly remade?: { readonly digest: string; readonly size: string; readonly root: string };
}

/** How someone who trusts nobody checks it; in the PDF as well. */
export const HOW_TO_VERIFY = [
  'GET /audit/v1/export gives the log and the books as a directory; custos verify log DIR --key KEY proves that no',
  'record was altered, and custos verify ledger DIR --key KEY makes every journal again from the records and the price',
  'books. The lines of this document are the journals of its month on the accounts of the organisation; the FOCUS',
  'export of the month names the leaf, the journal and the request of each.',
] as const;

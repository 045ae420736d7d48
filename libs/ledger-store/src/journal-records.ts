import type { QueryConfig } from 'pg';

/** A journal as auditors get it, in receipts and exports. Ids, indices and amounts are decimal strings, times RFC 3339. */
export interface JournalRecord {
  readonly id: string;
  readonly kind: string;
  readonly leafIndex: string;
  readonly generationId?: string;
  readonly priceBook?: string;
  readonly effectiveAt: string;
  /** The month that it is posted into: that of `effectiveAt`, or the first one still open. */
  readonly period: string;
  readonly recordedAt: string;
  readonly reverses?: string;
  readonly author?: string;
  /** The second person; of refunds. */
  readonly approver?: string;
  readonly reason?: string;
  readonly postings: readonly { readonly account: string; readonly amountPicoUsd: string }[];
}

export interface JournalDocument {
  readonly id: string;
  readonly kind: string;
  readonly leaf_index: string;
  readonly generation_id: string | null;
  readonly price_book: string | null;
  readonly effective_at: Date;
  readonly recorded_at: Date;
  readonly period: string;
  readonly reverses: string | null;
  /** Only on journals that a person caused. */
  readonly author?: string | null;
  readonly approver?: string | null;
  readonly reason?: string | null;
  readonly postings: JournalRecord['postings'];
}

const SELECT = `select j.*, (
    select json_agg(json_build_object('account', a.name, 'amountPicoUsd', p.amount::text) order by p.seq)
    from ledger.posting p join ledger.account a on a.id = p.account_id where p.journal_id = j.id) as postings
  from ledger.journal j`;

export const journalsOfGeneration = (generationId: string): QueryConfig => ({
  name: 'ledger.journals_of_generation',
  text: `${SELECT} where j.generation_id = $1 order by j.id`,
  values: [generationId],
});

/** In id order; the bounds are leaf indices. */
export const SELECT_JOURNALS_BETWEEN = `${SELECT} where j.leaf_index >= $1 and j.leaf_index < $2 order by j.id`;

export function journalRecord(row: JournalDocument): JournalRecord {
  return {
    id: row.id,
    kind: row.kind,
    leafIndex: row.leaf_index,
    ...(row.generation_id !== null && { generationId: row.generation_id }),
    ...(row.price_book !== null && { priceBook: row.price_book }),
    effectiveAt: row.effective_at.toISOString(),
    period: row.period,
    recordedAt: row.recorded_at.toISOString(),
    ...(row.reverses !== null && { reverses: row.reverses }),
    ...(typeof row.author === 'string' && { author: row.author }),
    ...(typeof row.approver === 'string' && { approver: row.approver }),
    ...(typeof row.reason === 'string' && { reason: row.reason }),
    postings: row.postings,
  };
}

import type { Pool } from 'pg';
import {
  journalRecord,
  journalsOfGeneration,
  type JournalDocument,
  type JournalRecord,
} from './journal-records.js';

/** One record of a generation, where it stands in the log and in the tree. */
export interface SealedRecord {
  readonly leafIndex: bigint;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly bytes: Buffer;
}

export interface CitedPriceBook {
  readonly version: string;
  /** Hex. */
  readonly sha256: string;
}

export interface SealedGeneration {
  /** By leaf index. */
  readonly records: readonly SealedRecord[];
  /** Leaves of it whose bytes are gone: removed under the ledger's retention policy. */
  readonly removed: readonly bigint[];
  readonly journals: readonly JournalRecord[];
  readonly priceBooks: readonly CitedPriceBook[];
}

/** What a receipt is made of. */
export class ReceiptQueries {
  constructor(private readonly pool: Pool) {}

  /** Undefined where the ledger does not know the generation. Three queries by key. */
  async sealed(generationId: string): Promise<SealedGeneration | undefined> {
    const [records, journals, books] = await Promise.all([
      this.pool.query<{
        leaf_index: string;
        topic: string;
        partition: number;
        record_offset: string;
        bytes: Buffer | null;
      }>({
        name: 'ledger.receipt_records',
        text: `select l.leaf_index, s.topic, s.partition, l.record_offset, e.bytes
          from (select unnest(leaves) as leaf_index from ledger.generation where id = $1
                union select leaf_index from ledger.journal where generation_id = $1) wanted
          join ledger.leaf l using (leaf_index) left join ledger.entry e using (leaf_index)
          join ledger.source_offset s on s.id = l.source_id
          order by l.leaf_index`,
        values: [generationId],
      }),
      this.pool.query<JournalDocument>(journalsOfGeneration(generationId)),
      this.pool.query<{ version: string; sha256: string }>({
        name: 'ledger.receipt_price_books',
        text: `select version, encode(sha256, 'hex') as sha256 from ledger.price_book
          where version in (select price_book from ledger.generation where id = $1
                            union select price_book from ledger.journal where generation_id = $1)
          order by version`,
        values: [generationId],
      }),
    ]);
    if (records.rows.length === 0) return undefined;
    return {
      records: records.rows.flatMap(({ bytes, ...r }) =>
        bytes === null
          ? []
          : {
              leafIndex: BigInt(r.leaf_index),
              topic: r.topic,
              partition: r.partition,
              offset: r.record_offset,
              bytes,
            },
      ),
      removed: records.rows.filter((r) => r.bytes === null).map((r) => BigInt(r.leaf_index)),
      journals: journals.rows.map(journalRecord),
      priceBooks: books.rows,
    };
  }
}

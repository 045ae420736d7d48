import { DomainError } from '#libs/kernel';
import type { CitedPriceBook, JournalRecord, ReceiptQueries } from '#libs/ledger-store';
import { formatTlogProof, inclusionProof } from '#libs/transparency';
import type { TransparencyLog } from '../checkpoint/transparency-log.js';
import type { LedgerAppErrorCode } from '../ledger.errors.js';

/** One generation's records with what proves offline that they stand in the log. Indices are decimal strings. */
export interface Receipt {
  readonly format: 'custos-receipt-v1';
  readonly generationId: string;
  readonly ledgerId: string;
  readonly origin: string;
  /** The signed note that every proof leads to. */
  readonly checkpoint: string;
  /** The tlog-policy that the note satisfies. */
  readonly policy: string;
  readonly events: readonly ReceiptEvent[];
  readonly journals: readonly JournalRecord[];
  readonly priceBooks: readonly CitedPriceBook[];
}

export interface ReceiptEvent {
  readonly leafIndex: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  /** Base64 of the record's exact bytes. */
  readonly bytes: string;
  /** A c2sp.org/tlog-proof. */
  readonly proof: string;
}

/**
 * Nothing is signed for it: all proofs lead to a checkpoint that was published anyway, and their hashes come from a few
 * tiles. Throws `trail_not_found`, `records_removed`, and `receipt_pending` while no believed checkpoint covers all of its records.
 */
export async function receiptOf(
  generationId: string,
  tree: TransparencyLog,
  queries: ReceiptQueries,
): Promise<Receipt> {
  const sealed = await queries.sealed(generationId);
  if (sealed === undefined)
    throw new DomainError<LedgerAppErrorCode>('trail_not_found', 'There is no such generation.');
  if (sealed.removed.length > 0)
    throw new DomainError<LedgerAppErrorCode>(
      'records_removed',
      'Records of this generation were removed under the retention policy; the trail says what is left.',
      { leaves: sealed.removed.join(' ') },
    );
  const last = sealed.records.at(-1)!.leafIndex;
  const checkpoint = await tree.believedOver(last);
  if (checkpoint === undefined)
    throw new DomainError<LedgerAppErrorCode>(
      'receipt_pending',
      'No checkpoint covers all records of this generation yet.',
    );
  const { size, note } = checkpoint;
  const read = tree.queries.reader(size);
  const events = await Promise.all(
    sealed.records.map(async ({ leafIndex, topic, partition, offset, bytes }) => ({
      leafIndex: leafIndex.toString(),
      topic,
      partition,
      offset,
      bytes: bytes.toString('base64'),
      proof: formatTlogProof({
        index: leafIndex,
        proof: await inclusionProof(leafIndex, size, read),
        checkpoint: note,
      }),
    })),
  );
  return {
    format: 'custos-receipt-v1',
    generationId,
    ledgerId: tree.identity.ledgerId,
    origin: tree.identity.origin,
    checkpoint: note,
    policy: tree.policy.text,
    events,
    journals: sealed.journals,
    priceBooks: sealed.priceBooks,
  };
}

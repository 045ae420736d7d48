import type { ClientBase } from 'pg';
import { decodeEvent, type CustosEvent } from '#libs/audit-events';
import { ratingHistory, type CustomerJournal, type SettledNote, type Terms } from '#libs/ledger';
import { customerOf, type CustomerJournalRow } from './statement-queries.js';

/** Price books for what was rated before: those stored are brought within reach first. */
export interface RatingTerms extends Terms {
  readonly loadPrices: (versions: ReadonlySet<string>) => Promise<void>;
}

type Rating = SettledNote['attempts'];

/** Finds how each journal was rated: the one in force is kept beside the generation, earlier ones are made again. */
export class StatementRatings {
  constructor(
    private readonly client: ClientBase,
    private readonly terms: RatingTerms,
  ) {}

  async rated(rows: readonly CustomerJournalRow[]): Promise<readonly CustomerJournal[]> {
    const past = new Set<string>();
    for (const row of rows)
      if (row.generation_id !== null && !isInForce(row)) past.add(row.generation_id);
    const history = past.size === 0 ? new Map<bigint, Rating>() : await this.#history(past);
    return rows.map((row) =>
      journalOf(row, (isInForce(row) ? row.rated : history.get(BigInt(row.id))) ?? []),
    );
  }

  /** Records that are gone leave a journal without its lines, never without its amount. */
  async #history(generationIds: ReadonlySet<string>): Promise<Map<bigint, Rating>> {
    const { rows } = await this.client.query<{
      id: string;
      price_book: string | null;
      leaf_index: string;
      bytes: Buffer;
    }>(
      `select g.id, g.price_book, e.leaf_index, e.bytes
       from ledger.generation g cross join lateral unnest(g.leaves) as l(leaf_index)
       join ledger.entry e using (leaf_index)
       where g.id = any($1::text[]) order by g.id, e.leaf_index`,
      [[...generationIds]],
    );
    const records = new Map<string, { leafIndex: bigint; event: CustosEvent }[]>();
    const versions = new Set<string>();
    for (const { id, price_book, leaf_index, bytes } of rows) {
      const read = decodeEvent(bytes);
      if (!read.ok) continue;
      if (price_book !== null) versions.add(price_book);
      const of = records.get(id) ?? [];
      of.push({ leafIndex: BigInt(leaf_index), event: read.event });
      records.set(id, of);
    }
    await this.terms.loadPrices(versions);
    const all = new Map<bigint, Rating>();
    for (const of of records.values())
      for (const [journal, rating] of ratingHistory(of, this.terms)) all.set(journal, rating);
    return all;
  }
}

const isInForce = (row: CustomerJournalRow): boolean =>
  row.kind !== 'reversal' && row.booked === row.id;

function journalOf(row: CustomerJournalRow, attempts: Rating): CustomerJournal {
  return {
    id: BigInt(row.id),
    leafIndex: BigInt(row.leaf_index),
    kind: row.kind,
    ...customerOf(row.account),
    customerPicoUsd: BigInt(row.amount),
    ...(row.fee !== null && { feePicoUsd: BigInt(row.fee) }),
    effectiveAt: row.effective_at.toISOString(),
    period: row.period,
    ...(row.price_book !== null && { priceBook: row.price_book }),
    ...(row.author !== null && { author: row.author }),
    ...(row.approver !== null && { approver: row.approver }),
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.generation_id !== null && {
      usage: {
        generationId: row.generation_id,
        workspaceId: row.workspace_id ?? '',
        keyId: row.key_id ?? '',
        model: row.model ?? '',
        attempts,
        regions: new Map(row.attempts?.map((a) => [a.number, a.region])),
      },
    }),
  };
}

import type { Pool } from 'pg';
import type { LedgerRefund, RefundOf, RefundRefusal } from '#libs/audit-events';

/** What the ledger decided on a refund: granted, and then reserved, or declined. */
export interface RefundVerdict extends LedgerRefund {
  readonly decision:
    | { readonly granted: true; readonly amountPicoUsd: string; readonly feePicoUsd: string }
    | {
        readonly granted: false;
        readonly why: RefundRefusal;
        readonly creditPicoUsd: string;
        readonly inUsePicoUsd: string;
      };
}

/** A refund as auditors are shown it. Amounts are decimal strings of pico-USD. */
export interface RefundRecord {
  readonly refundId: string;
  readonly organisationId: string;
  /** `approved`: two persons asked for it, and the ledger has not said yet what becomes of it. */
  readonly status: 'approved' | 'granted' | 'declined';
  readonly of: RefundOf;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
  /** By control's record; absent where that has not been read yet. */
  readonly askedAt?: string;
  readonly askedLeaf?: string;
  readonly decidedAt?: string;
  readonly decidedLeaf?: string;
  readonly amountPicoUsd?: string;
  readonly feePicoUsd?: string;
  readonly why?: string;
  readonly creditPicoUsd?: string;
  readonly inUsePicoUsd?: string;
}

export interface RefundFilter {
  readonly organisation?: string | undefined;
  /** Id of the last one seen. */
  readonly after?: string | undefined;
  readonly limit: number;
}

interface SaidRow {
  readonly refund_id: string;
  readonly organisation_id: string;
  readonly credit_id: string | null;
  readonly asked: string | null;
  readonly author: string;
  readonly approver: string;
  readonly reason: string;
}

/** Refunds of credit: what is to be decided, and what became of each. */
export class Refunds {
  constructor(private readonly pool: Pool) {}

  /** Ids of those that wait for a decision of ours, oldest first. */
  async undecided(after: string, max: number): Promise<readonly string[]> {
    const { rows } = await this.pool.query<{ refund_id: string }>(
      `select a.refund_id from ledger.refund_asked a
       where a.refund_id > $1 and not exists (select from ledger.refund_decided d where d.refund_id = a.refund_id)
       order by a.refund_id limit $2`,
      [after, max],
    );
    return rows.map((r) => r.refund_id);
  }

  /**
   * Decides it, once and for all: what is granted is reserved in the same transaction, and who asks again has the same
   * answer. Undefined where its decision was read already, or its credit is in use and may come back within `patienceMs`
   * of the asking.
   */
  async judge(
    refundId: string,
    nowMs: number,
    patienceMs: number,
  ): Promise<RefundVerdict | undefined> {
    const { rows } = await this.pool.query<
      SaidRow & {
        readonly why: RefundRefusal | null;
        readonly amount: string | null;
        readonly fee: string | null;
        readonly credit: string;
        readonly in_use: string;
        readonly at: Date;
      }
    >(
      `select v.refund_id, v.organisation_id, v.credit_id, a.amount as asked, a.author, a.approver, a.reason,
         v.why, v.amount, v.fee, v.credit, v.in_use, v.at
       from ledger.judge_refund($1, $2, make_interval(secs => $3)) v
       join ledger.refund_asked a using (refund_id)`,
      [refundId, new Date(nowMs), patienceMs / 1_000],
    );
    return rows.map((row): RefundVerdict => {
      const { why, amount, fee, credit, in_use: inUsePicoUsd, at } = row;
      return {
        ...saidOf(row),
        at: at.toISOString(),
        decision:
          why === null
            ? { granted: true, amountPicoUsd: amount ?? '0', feePicoUsd: fee ?? '0' }
            : { granted: false, why, creditPicoUsd: credit, inUsePicoUsd },
      };
    })[0];
  }

  async one(refundId: string): Promise<RefundRecord | undefined> {
    return (await this.#read('i.refund_id = $1', [refundId], 1))[0];
  }

  /** Newest first. */
  list({ organisation, after, limit }: RefundFilter): Promise<readonly RefundRecord[]> {
    return this.#read(
      `($1::text is null or coalesce(d.organisation_id, a.organisation_id) = $1)
       and ($2::text is null or i.refund_id < $2)`,
      [organisation ?? null, after ?? null],
      limit,
    );
  }

  async #read(
    where: string,
    values: readonly (string | null)[],
    limit: number,
  ): Promise<readonly RefundRecord[]> {
    const { rows } = await this.pool.query<RecordRow>(
      `select i.refund_id, coalesce(d.organisation_id, a.organisation_id) as organisation_id,
         coalesce(d.credit_id, a.credit_id) as credit_id, coalesce(a.amount, d.amount) as asked,
         coalesce(d.author, a.author) as author, coalesce(d.approver, a.approver) as approver,
         coalesce(d.reason, a.reason) as reason,
         a.asked_at, a.leaf_index as asked_leaf, d.granted, d.decided_at, d.leaf_index as decided_leaf,
         d.amount, d.fee, d.why, d.credit, d.in_use
       from (select refund_id from ledger.refund_asked union select refund_id from ledger.refund_decided) i
       left join ledger.refund_asked a on a.refund_id = i.refund_id
       left join lateral (
         select * from ledger.refund_decided x where x.refund_id = i.refund_id order by x.granted desc limit 1) d on true
       where ${where} order by i.refund_id desc limit $${values.length + 1}`,
      [...values, limit],
    );
    return rows.map(recordOf);
  }
}

interface RecordRow extends SaidRow {
  readonly asked_at: Date | null;
  readonly asked_leaf: string | null;
  readonly granted: boolean | null;
  readonly decided_at: Date | null;
  readonly decided_leaf: string | null;
  readonly amount: string | null;
  readonly fee: string | null;
  readonly why: string | null;
  readonly credit: string | null;
  readonly in_use: string | null;
}

const saidOf = (row: SaidRow) => ({
  refundId: row.refund_id,
  organisationId: row.organisation_id,
  author: row.author,
  approver: row.approver,
  reason: row.reason,
  of: row.credit_id === null ? { amountPicoUsd: row.asked ?? '0' } : { creditId: row.credit_id },
});

const recordOf = (row: RecordRow): RefundRecord => ({
  ...saidOf(row),
  status: row.granted === null ? 'approved' : row.granted ? 'granted' : 'declined',
  ...(row.asked_at !== null && { askedAt: row.asked_at.toISOString() }),
  ...(row.asked_leaf !== null && { askedLeaf: row.asked_leaf }),
  ...(row.decided_at !== null && { decidedAt: row.decided_at.toISOString() }),
  ...(row.decided_leaf !== null && { decidedLeaf: row.decided_leaf }),
  ...(row.amount !== null && { amountPicoUsd: row.amount }),
  ...(row.fee !== null && { feePicoUsd: row.fee }),
  ...(row.why !== null && { why: row.why }),
  ...(row.credit !== null && { creditPicoUsd: row.credit }),
  ...(row.in_use !== null && { inUsePicoUsd: row.in_use }),
});

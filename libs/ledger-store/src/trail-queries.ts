import type { Pool } from 'pg';
import {
  assembleTrail,
  type JournalKind,
  type Trail,
  type TrailDocuments,
  type TrailPosting,
} from '#libs/ledger';
import { readCursor, writeCursor } from './cursor.js';
import { documentsOf, NO_DOCUMENTS } from './generation-documents.js';

export interface TrailFilter {
  /** By time of receipt: from inclusive, to exclusive. RFC 3339. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly organisation?: string | undefined;
  readonly workspace?: string | undefined;
  readonly key?: string | undefined;
  readonly model?: string | undefined;
  /** Provider that answered, else the one asked last. */
  readonly provider?: string | undefined;
  readonly status?: string | undefined;
  /** Stable code of the refusal. */
  readonly refusal?: string | undefined;
  /** Id of a policy that the record gives as a reason. */
  readonly policy?: string | undefined;
  /** `provider/region`: one of these was authorised as an attempt's destination. */
  readonly destinations?: readonly string[] | undefined;
  /** True: at least one attempt was authorised; false: none. */
  readonly dispatched?: boolean | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface TrailPage {
  readonly data: readonly Trail[];
  readonly nextCursor: string | null;
}

interface TrailRow extends Pick<TrailDocuments, 'state'> {
  readonly id: string;
  readonly received_at: Date | null;
  readonly posted_at: Date | null;
  readonly settled: TrailDocuments['settled'] | null;
  readonly organisation_id: string | null;
  readonly workspace_id: string | null;
  readonly key_id: string | null;
  readonly model: string | null;
  readonly removed_by: string | null;
  readonly removed_at: Date | null;
  readonly policy_digest: string | null;
}

const SELECT = `select id, received_at, posted_at, state, settled,
    organisation_id, workspace_id, key_id, model, removed_by, r.at as removed_at, r.policy_digest
  from ledger.generation left join ledger.retention r on r.leaf_index = removed_by`;

/** Trails for auditors, read straight from the ledger's tables. */
export class TrailQueries {
  constructor(private readonly pool: Pool) {}

  async trail(generationId: string): Promise<Trail | undefined> {
    const { rows } = await this.pool.query<TrailRow>({
      name: 'ledger.trail',
      text: `${SELECT} where id = $1`,
      values: [generationId],
    });
    return (await this.#trails(rows))[0];
  }

  /** Newest first. Throws `bad_cursor` on a cursor that this never gave out. */
  async list(filter: TrailFilter): Promise<TrailPage> {
    const values: (string | number | readonly string[])[] = [];
    const where = ['received_at is not null'];
    const demand = (sql: string, value: string | readonly string[] | undefined): void => {
      if (value !== undefined) where.push(sql.replace('?', `$${values.push(value)}`));
    };
    demand('received_at >= ?', filter.from);
    demand('received_at < ?', filter.to);
    demand('organisation_id = ?', filter.organisation);
    demand('workspace_id = ?', filter.workspace);
    demand('key_id = ?', filter.key);
    demand('model = ?', filter.model);
    demand('provider = ?', filter.provider);
    demand('status = ?', filter.status);
    demand('refusal_code = ?', filter.refusal);
    demand('policies @> array[?]::text[]', filter.policy);
    demand('destinations && ?::text[]', filter.destinations);
    if (filter.dispatched !== undefined)
      where.push(`destinations ${filter.dispatched ? '<>' : '='} '{}'`);
    if (filter.cursor !== undefined) {
      const { receivedAt, id } = readCursor(filter.cursor);
      where.push(`(received_at, id) < ($${values.push(receivedAt)}, $${values.push(id)})`);
    }
    const { rows } = await this.pool.query<TrailRow>(
      `${SELECT} where ${where.join(' and ')} order by received_at desc, id desc
       limit $${values.push(filter.limit + 1)}`,
      values,
    );
    const page = rows.slice(0, filter.limit);
    const last = page.at(-1);
    return {
      data: await this.#trails(page),
      nextCursor:
        rows.length > filter.limit && last?.received_at
          ? writeCursor({ receivedAt: last.received_at.toISOString(), id: last.id })
          : null,
    };
  }

  /** Every trail that the filter admits, newest first, a page in memory at a time. `filter.limit` is the page. */
  async *all(filter: TrailFilter): AsyncGenerator<Trail> {
    let cursor = filter.cursor;
    do {
      const page = await this.list({ ...filter, cursor });
      yield* page.data;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  async #trails(rows: readonly TrailRow[]): Promise<readonly Trail[]> {
    const [documents, postings] = await Promise.all([
      documentsOf(
        this.pool,
        rows.filter((r) => r.removed_by === null).map((r) => r.id),
      ),
      this.#postings(rows.filter((r) => r.posted_at).map((r) => r.id)),
    ]);
    return rows.map((row) => {
      const { state, settled, posted_at } = row;
      return assembleTrail({
        state,
        ...(documents.get(row.id) ?? NO_DOCUMENTS),
        ...(settled && {
          settled: { ...settled, ...(posted_at && { postedAt: posted_at.toISOString() }) },
        }),
        postings: postings.get(row.id) ?? [],
        ...removedOf(row),
      });
    });
  }

  async #postings(ids: readonly string[]): Promise<ReadonlyMap<string, TrailPosting[]>> {
    const byId = new Map<string, TrailPosting[]>();
    if (ids.length === 0) return byId;
    const { rows } = await this.pool.query<{
      generation_id: string;
      kind: JournalKind;
      period: string;
      effective_at: Date;
      author: string | null;
      reason: string | null;
      account: string;
      amount: string;
      leaf_index: string;
      topic: string;
      partition: number;
      record_offset: string;
    }>({
      name: 'ledger.postings',
      text: `select j.generation_id, j.kind, j.period, j.effective_at, j.author, j.reason, a.name as account, p.amount, j.leaf_index, s.topic, s.partition,
          l.record_offset
        from ledger.journal j
        join ledger.posting p on p.journal_id = j.id
        join ledger.account a on a.id = p.account_id
        join ledger.leaf l on l.leaf_index = j.leaf_index
        join ledger.source_offset s on s.id = l.source_id
        where j.generation_id = any($1::text[])
        order by j.recorded_at, j.kind, j.id, p.seq`,
      values: [ids],
    });
    for (const r of rows) {
      const list = byId.get(r.generation_id) ?? [];
      byId.set(r.generation_id, list);
      list.push({
        account: r.account,
        amountPicoUsd: r.amount,
        kind: r.kind,
        period: r.period,
        effectiveAt: r.effective_at.toISOString(),
        ...(r.author !== null && { author: r.author }),
        ...(r.reason !== null && { reason: r.reason }),
        leaf: {
          topic: r.topic,
          partition: r.partition,
          offset: r.record_offset,
          index: r.leaf_index,
        },
      });
    }
    return byId;
  }
}

function removedOf(row: TrailRow): Pick<TrailDocuments, 'removed'> {
  if (row.removed_by === null) return {};
  return {
    removed: {
      at: row.removed_at?.toISOString() ?? '',
      leafIndex: row.removed_by,
      policyDigest: row.policy_digest ?? '',
      head: {
        ...(row.organisation_id !== null && { organisationId: row.organisation_id }),
        ...(row.workspace_id !== null && { workspaceId: row.workspace_id }),
        ...(row.key_id !== null && { keyId: row.key_id }),
        ...(row.model !== null && { model: row.model }),
        ...(row.received_at !== null && { receivedAt: row.received_at.toISOString() }),
      },
    },
  };
}

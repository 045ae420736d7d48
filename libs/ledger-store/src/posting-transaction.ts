import type { ClientBase } from 'pg';
import type { LogRecord } from '#libs/audit-log';
import { isGenerationEvent, unseen, type GenerationState } from '#libs/ledger';
import { DomainError } from '#libs/kernel';
import { BatchFold } from './batch-fold.js';
import { decodeRecord, type DecodedRecord } from './decode-records.js';
import type { LedgerStoreErrorCode } from './errors.js';
import type { GenerationWork, LeaseRow, Source, WriterRow } from './rows.js';
import type { SettleContext } from './settle-work.js';
import { writeBatch, type AccountIds } from './write-batch.js';

/** Leaf partitions are made this many leaves ahead, so that no batch ever meets a missing one. */
const LEAVES_AHEAD = 1_000_000n;

export interface Applied {
  /** Records that were new behind the fence; the rest had been applied before. */
  readonly records: number;
  readonly leaves: bigint;
  readonly journals: number;
  /** `lastByteAt` of each generation settled here that has one, Unix ms: for the billing lag. */
  readonly lastByteAtMs: readonly number[];
  readonly quarantined: readonly { readonly code: string; readonly leafIndex: bigint }[];
}

/** What the posting transaction keeps in memory between batches: only facts that never change. */
export class PostingTransaction {
  readonly #accounts: AccountIds = new Map();
  #partitionedTo = 0n;

  constructor(
    private readonly client: ClientBase,
    private readonly logId: string,
    private readonly context: () => SettleContext,
  ) {}

  /**
   * Takes a batch of records into the books, once: leaves, trails, postings, holds and the fence change in one
   * transaction. What lies before the fence is dropped. Throws `log_gap` when records between fence and batch are
   * missing, `fence_moved` when another sequencer was faster; then nothing has changed.
   */
  async applyBatch(records: readonly LogRecord[]): Promise<Applied> {
    return this.#inTransaction(async (settling) => {
      const sources = await this.#fences(records);
      const { fresh, ends } = beyondFences(records, sources);
      if (fresh.length === 0) return NOTHING;
      const decoded = fresh.map(decodeRecord);
      const size = await this.#treeSize();
      const generations = await this.#generations(decoded);
      await settling.loadPrices(priceBooksOf(decoded, generations.values()));
      const batch = new BatchFold(
        {
          size,
          writers: await this.#writers(decoded),
          generations,
          leases: await this.#leases(decoded),
        },
        settling,
      );
      for (const record of decoded)
        batch.take(sources.get(placeOf(record.topic, record.partition))!, record);
      await this.#ensurePartitions(batch.size);
      const accounts = await writeBatch(this.client, batch, this.#accounts);
      await this.#moveTree(size, batch.size);
      await this.#moveFences(ends);
      return { ...summary(batch, decoded.length), accounts };
    });
  }

  /** Settles up to `max` generations whose price book was unknown when they closed. Returns how many there were. */
  async settleLate(priceBook: string, max: number): Promise<number> {
    const applied = await this.#inTransaction(async (settling) => {
      const { rows } = await this.client.query<GenerationRow>(
        `${SELECT_GENERATION} where price_book = $1 and closed_at is not null and rated_at is null limit $2 for update`,
        [priceBook, max],
      );
      await settling.loadPrices(new Set([priceBook]));
      const size = await this.#treeSize();
      const batch = new BatchFold(
        { size, writers: new Map(), generations: new Map(), leases: new Map() },
        settling,
      );
      for (const row of rows) batch.settleLate(workOf(row));
      const accounts = await writeBatch(this.client, batch, this.#accounts);
      await this.client.query(
        `update ledger.quarantine set resolved_at = clock_timestamp()
         where code = 'price_book_unknown' and generation_id = any($1::text[]) and resolved_at is null`,
        [rows.filter((r) => batch.generations.get(r.id)?.settled !== undefined).map((r) => r.id)],
      );
      return { ...summary(batch, rows.length), accounts };
    });
    return applied.records;
  }

  async #inTransaction(
    work: (settling: SettleContext) => Promise<Applied & { readonly accounts: AccountIds }>,
  ): Promise<Applied> {
    await this.client.query('begin');
    try {
      const { accounts, ...applied } = await work(this.context());
      await this.client.query('commit');
      for (const [name, id] of accounts) this.#accounts.set(name, id);
      return applied;
    } catch (error) {
      // A broken connection has rolled back already; its own error says more than the rollback's.
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  async #fences(records: readonly LogRecord[]): Promise<Map<string, Source>> {
    const wanted = new Map(records.map((r) => [placeOf(r.topic, r.partition), r]));
    const topics = [...wanted.values()].map((r) => r.topic);
    const partitions = [...wanted.values()].map((r) => r.partition);
    const select = () =>
      this.client.query<{ id: number; topic: string; partition: number; next_offset: string }>({
        name: 'ledger.fences',
        text: `select id, topic, partition, next_offset from ledger.source_offset
          where log_id = $1 and (topic, partition) in (select * from unnest($2::text[], $3::integer[]))
          order by id for update`,
        values: [this.logId, topics, partitions],
      });
    let { rows } = await select();
    if (rows.length < wanted.size) {
      await this.client.query(
        `insert into ledger.source_offset (log_id, topic, partition)
         select $1, * from unnest($2::text[], $3::integer[]) on conflict do nothing`,
        [this.logId, topics, partitions],
      );
      ({ rows } = await select());
    }
    return new Map(
      rows.map((r) => [
        placeOf(r.topic, r.partition),
        { id: r.id, topic: r.topic, partition: r.partition, next: BigInt(r.next_offset) },
      ]),
    );
  }

  async #treeSize(): Promise<bigint> {
    const { rows } = await this.client.query<{ size: string }>(
      `select size from ledger.tree_state where ledger_id = 'main' for update`,
    );
    return BigInt(rows[0]!.size);
  }

  async #writers(records: readonly DecodedRecord[]): Promise<Map<string, WriterRow>> {
    const ids = new Set<string>();
    for (const { read } of records) {
      const envelope = read.ok ? read.event : read.envelope;
      if (envelope !== undefined) ids.add(envelope.writer);
      if (read.ok && read.event.type === 'custos.writer.retired.v1')
        ids.add(read.event.data.retiredWriter);
    }
    const { rows } = await this.client.query<{
      writer: string;
      app: string | null;
      source_id: number | null;
      wseq: string;
      last_hash: string | null;
      last_seen_at: Date | null;
      stopped: boolean;
      retired: boolean;
      retired_after_wseq: string | null;
    }>({
      name: 'ledger.writers',
      text: `select * from ledger.writer_high_water where writer = any($1::text[])`,
      values: [[...ids]],
    });
    return new Map(
      rows.map((r) => [
        r.writer,
        {
          writer: r.writer,
          app: r.app,
          sourceId: r.source_id,
          wseq: Number(r.wseq),
          lastHash: r.last_hash,
          lastSeenAt: r.last_seen_at?.toISOString() ?? null,
          stopped: r.stopped,
          retired: r.retired,
          retiredAfterWseq: r.retired_after_wseq === null ? null : Number(r.retired_after_wseq),
          dirty: false,
        },
      ]),
    );
  }

  async #generations(records: readonly DecodedRecord[]): Promise<Map<string, GenerationWork>> {
    const ids = new Set<string>();
    for (const { read } of records)
      if (read.ok && isGenerationEvent(read.event)) ids.add(read.event.data.generationId);
    if (ids.size === 0) return new Map();
    const { rows } = await this.client.query<GenerationRow>({
      name: 'ledger.generations',
      text: `${SELECT_GENERATION} where id = any($1::text[])`,
      values: [[...ids]],
    });
    return new Map(rows.map((r) => [r.id, workOf(r)]));
  }

  async #leases(records: readonly DecodedRecord[]): Promise<Map<string, LeaseRow>> {
    const ids = new Set<string>();
    for (const { read } of records) {
      if (!read.ok) continue;
      const { event } = read;
      switch (event.type) {
        case 'custos.generation.opened.v1':
          for (const ref of event.data.hold.leases) ids.add(ref.leaseId);
          break;
        case 'custos.writer.heartbeat.v1':
        case 'custos.writer.stopped.v1':
          for (const leaseId of event.data.releasedLeases ?? []) ids.add(leaseId);
          break;
        default:
          break;
      }
    }
    if (ids.size === 0) return new Map();
    const { rows } = await this.client.query<{
      lease_id: string;
      scope: string;
      scope_id: string;
      granted: string;
      allotted: string;
      state: string;
    }>({
      name: 'ledger.leases',
      text: `select lease_id, scope, scope_id, granted, allotted, state from ledger.lease
        where lease_id = any($1::text[]) for update`,
      values: [[...ids]],
    });
    return new Map(
      rows.map((r) => [
        r.lease_id,
        {
          leaseId: r.lease_id,
          scope: r.scope,
          scopeId: r.scope_id,
          granted: BigInt(r.granted),
          allotted: BigInt(r.allotted),
          open: r.state === 'open',
          dirty: false,
        },
      ]),
    );
  }

  async #ensurePartitions(size: bigint): Promise<void> {
    if (size + LEAVES_AHEAD <= this.#partitionedTo) return;
    const { rows } = await this.client.query<{ bound: string }>(
      'select ledger.ensure_leaf_partitions($1) as bound',
      [(size + 2n * LEAVES_AHEAD).toString()],
    );
    this.#partitionedTo = BigInt(rows[0]!.bound);
  }

  async #moveTree(from: bigint, to: bigint): Promise<void> {
    const { rowCount } = await this.client.query(
      `update ledger.tree_state set size = $2 where ledger_id = 'main' and size = $1`,
      [from.toString(), to.toString()],
    );
    if (rowCount !== 1) throw storeError('fence_moved', 'the tree grew under this transaction');
  }

  async #moveFences(ends: readonly FenceMove[]): Promise<void> {
    const { rowCount } = await this.client.query({
      name: 'ledger.move_fences',
      text: `update ledger.source_offset s set next_offset = m.next
        from unnest($1::integer[], $2::bigint[], $3::bigint[]) as m(id, old, next)
        where s.id = m.id and s.next_offset = m.old`,
      values: [
        ends.map((e) => e.source.id),
        ends.map((e) => e.source.next.toString()),
        ends.map((e) => e.next.toString()),
      ],
    });
    if (rowCount !== ends.length) throw storeError('fence_moved', 'a fence moved under this batch');
  }
}

const NOTHING: Applied & { readonly accounts: AccountIds } = {
  records: 0,
  leaves: 0n,
  journals: 0,
  lastByteAtMs: [],
  quarantined: [],
  accounts: new Map(),
};

interface FenceMove {
  readonly source: Source;
  readonly next: bigint;
}

const placeOf = (topic: string, partition: number): string => `${topic}/${partition}`;

function beyondFences(
  records: readonly LogRecord[],
  sources: ReadonlyMap<string, Source>,
): { readonly fresh: LogRecord[]; readonly ends: FenceMove[] } {
  const next = new Map<Source, bigint>();
  const fresh: LogRecord[] = [];
  for (const record of records) {
    const source = sources.get(placeOf(record.topic, record.partition))!;
    const expected = next.get(source) ?? source.next;
    if (record.offset < expected) continue;
    if (record.offset > expected)
      throw new DomainError<LedgerStoreErrorCode>('log_gap', 'records are missing from the log', {
        topic: record.topic,
        partition: record.partition,
        expected: expected.toString(),
        found: record.offset.toString(),
      });
    fresh.push(record);
    next.set(source, record.offset + 1n);
  }
  return { fresh, ends: [...next].map(([source, n]) => ({ source, next: n })) };
}

/** Versions that this batch may have to rate by. */
function priceBooksOf(
  records: readonly DecodedRecord[],
  known: Iterable<GenerationWork>,
): ReadonlySet<string> {
  const versions = new Set<string>();
  for (const { read } of records)
    if (read.ok && read.event.type === 'custos.generation.opened.v1')
      versions.add(read.event.data.versions.priceBook);
  for (const { state } of known)
    if (state.opening !== undefined) versions.add(state.opening.priceBook);
  return versions;
}

const storeError = (code: LedgerStoreErrorCode, message: string): DomainError =>
  new DomainError<LedgerStoreErrorCode>(code, message);

function summary(batch: BatchFold, records: number): Applied {
  const lastByteAtMs: number[] = [];
  for (const journal of batch.journals) {
    const at = batch.generations.get(journal.generationId)?.lastByteAt;
    if (journal.kind === 'usage' && at !== undefined && at !== null)
      lastByteAtMs.push(Date.parse(at));
  }
  return {
    records,
    leaves: batch.size,
    journals: batch.journals.length,
    lastByteAtMs,
    quarantined: batch.quarantine.map(({ code, leafIndex }) => ({ code, leafIndex })),
  };
}

const SELECT_GENERATION = `select id, state, settled, closed_at, last_byte_at from ledger.generation`;

interface GenerationRow {
  readonly id: string;
  readonly state: GenerationState | null;
  readonly settled: GenerationWork['settled'] | null;
  readonly closed_at: Date | null;
  readonly last_byte_at: Date | null;
}

const workOf = (row: GenerationRow): GenerationWork => ({
  state: row.state ?? unseen(row.id),
  settled: row.settled ?? undefined,
  opened: undefined,
  refused: undefined,
  dispatched: [],
  closes: [],
  leaves: [],
  closedAt: row.closed_at?.toISOString() ?? null,
  lastByteAt: row.last_byte_at?.toISOString() ?? null,
});

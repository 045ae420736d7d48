import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';
import type { Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { writeRetention } from './retention-work.js';
import type { JournalRow, LeafRow } from './rows.js';
import { writeGivenUp } from './signed-heads.js';
import { writeBooks } from './write-books.js';
import { writeGenerations } from './write-generations.js';
import { writeLimits } from './write-limits.js';

/** Account ids by name; accounts are never changed, so what a committed transaction saw stays true. */
export type AccountIds = ReadonlyMap<string, number>;

/** Facts that never change once they are committed. */
export interface Known {
  readonly accounts: AccountIds;
  /** Names of balances that have a row. */
  readonly balances: ReadonlySet<string>;
}

/** What a batch has added to what is known, true once it is committed. */
export interface Learnt {
  readonly accounts: AccountIds;
  readonly balances: readonly string[];
}

/** Writes what a batch changed, in a fixed number of statements. */
export async function writeBatch(
  client: ClientBase,
  batch: BatchFold,
  known: Known,
): Promise<Learnt> {
  await copyRows(client, 'ledger.leaf', LEAF, batch.leaves);
  await insertQuarantine(client, batch);
  await upsertWriters(client, batch);
  const accounts = await insertAccounts(client, batch, known.accounts);
  await insertJournals(client, batch, known.accounts, accounts);
  await writeBooks(client, batch.books);
  await writeRetention(client, batch.retention);
  await writeGivenUp(client, batch.givenUp);
  await writeGenerations(client, batch);
  const balances = await writeLimits(client, batch, known.balances);
  return { accounts, balances };
}

const LEAF: readonly Column<LeafRow>[] = [
  { name: 'leaf_index', type: 'int8', of: (l) => l.index },
  { name: 'source_id', type: 'int4', of: (l) => l.sourceId },
  { name: 'record_offset', type: 'int8', of: (l) => l.offset },
  { name: 'type', type: 'text', of: (l) => l.type },
  { name: 'generation_id', type: 'text', of: (l) => l.generationId },
  { name: 'leaf_hash', type: 'bytea', of: (l) => l.hash },
  { name: 'recorded_at', type: 'timestamptz', of: (l) => l.recordedAt },
  { name: 'effect', type: 'text', of: (l) => l.effect },
];

async function insertQuarantine(client: ClientBase, { quarantine }: BatchFold): Promise<void> {
  if (quarantine.length === 0) return;
  await client.query(
    `insert into ledger.quarantine (leaf_index, code, generation_id, detail)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) on conflict do nothing`,
    [
      quarantine.map((q) => q.leafIndex.toString()),
      quarantine.map((q) => q.code),
      quarantine.map((q) => q.generationId),
      // It may quote a record, which can hold what no column can.
      quarantine.map((q) => q.detail.replaceAll('\0', '\ufffd')),
    ],
  );
}

async function upsertWriters(client: ClientBase, batch: BatchFold): Promise<void> {
  const rows = [...batch.writers.values()].filter((w) => w.dirty);
  if (rows.length === 0) return;
  await client.query({
    name: 'ledger.upsert_writers',
    text: `insert into ledger.writer_high_water as w
        (writer, app, source_id, wseq, last_hash, last_seen_at, stopped, retired, retired_after_wseq)
      select * from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::timestamptz[],
        $7::boolean[], $8::boolean[], $9::bigint[])
      on conflict (writer) do update set
        app = excluded.app, source_id = excluded.source_id, wseq = excluded.wseq, last_hash = excluded.last_hash,
        last_seen_at = excluded.last_seen_at, stopped = excluded.stopped, retired = excluded.retired,
        retired_after_wseq = excluded.retired_after_wseq`,
    values: [
      rows.map((w) => w.writer),
      rows.map((w) => w.app),
      rows.map((w) => w.sourceId),
      rows.map((w) => w.wseq),
      rows.map((w) => w.lastHash),
      rows.map((w) => w.lastSeenAt),
      rows.map((w) => w.stopped),
      rows.map((w) => w.retired),
      rows.map((w) => w.retiredAfterWseq),
    ],
  });
}

async function insertAccounts(
  client: ClientBase,
  { journals }: BatchFold,
  known: AccountIds,
): Promise<AccountIds> {
  const missing = new Set<string>();
  for (const journal of journals)
    for (const { account } of journal.postings) if (!known.has(account)) missing.add(account);
  if (missing.size === 0) return new Map();
  const names = [...missing].sort();
  await client.query(
    `insert into ledger.account (name) select * from unnest($1::text[]) on conflict do nothing`,
    [names],
  );
  const { rows } = await client.query<{ id: number; name: string }>(
    `select id, name from ledger.account where name = any($1::text[])`,
    [names],
  );
  return new Map(rows.map((r) => [r.name, r.id]));
}

interface PostingRow {
  readonly journalId: bigint;
  readonly seq: number;
  readonly accountId: number;
  readonly amount: string;
}

const POSTING: readonly Column<PostingRow>[] = [
  { name: 'journal_id', type: 'int8', of: (p) => p.journalId },
  { name: 'seq', type: 'int2', of: (p) => p.seq },
  { name: 'account_id', type: 'int4', of: (p) => p.accountId },
  { name: 'amount', type: 'int8', of: (p) => p.amount },
];

const JOURNAL: readonly Column<JournalRow>[] = [
  { name: 'id', type: 'int8', of: (j) => j.id },
  { name: 'leaf_index', type: 'int8', of: (j) => j.leafIndex },
  { name: 'kind', type: 'text', of: (j) => j.kind },
  { name: 'generation_id', type: 'text', of: (j) => j.generationId },
  { name: 'price_book', type: 'text', of: (j) => j.priceBook },
  { name: 'effective_at', type: 'timestamptz', of: (j) => j.effectiveAt },
  { name: 'period', type: 'text', of: (j) => j.period },
  { name: 'reverses', type: 'int8', of: (j) => j.reverses },
  { name: 'author', type: 'text', of: (j) => j.author },
  { name: 'approver', type: 'text', of: (j) => j.approver },
  { name: 'reason', type: 'text', of: (j) => j.reason },
];

/** Postings first: the trigger on the journal then sees all of them. */
async function insertJournals(
  client: ClientBase,
  { journals }: BatchFold,
  known: AccountIds,
  fresh: AccountIds,
): Promise<void> {
  const postings = journals.flatMap((journal) =>
    journal.postings.map((posting, seq): PostingRow => ({
      journalId: journal.id,
      seq,
      accountId: known.get(posting.account) ?? fresh.get(posting.account) ?? -1,
      amount: posting.amountPicoUsd,
    })),
  );
  await copyRows(client, 'ledger.posting', POSTING, postings);
  await copyRows(client, 'ledger.journal', JOURNAL, journals);
}

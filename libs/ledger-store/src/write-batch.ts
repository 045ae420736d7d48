import { setImmediate as breathe } from 'node:timers/promises';
import type { BatchFold } from './batch-fold.js';
import type { Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { writeRetention } from './retention-work.js';
import type { JournalRow, LeafRow } from './rows.js';
import { writeGivenUp } from './signed-heads.js';
import type { StatementQueue } from './statement-queue.js';
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

/**
 * Writes what a batch changed, in a fixed number of statements. Each is said as soon as it is made, so that the database works while the
 * next is being made; balances, for which others wait, come last.
 */
export async function writeBatch(
  queue: StatementQueue,
  batch: BatchFold,
  known: Known,
): Promise<Learnt> {
  const said = new Answers();
  said.add(copyRows(queue, 'ledger.leaf', LEAF, batch.leaves));
  said.add(insertQuarantine(queue, batch));
  said.add(upsertWriters(queue, batch));
  await breathe();
  const accounts = await insertAccounts(queue, batch, known.accounts);
  said.add(insertJournals(queue, batch, known.accounts, accounts));
  await breathe();
  await writeBooks(queue, batch.books);
  await writeRetention(queue, batch.retention);
  await writeGivenUp(queue, batch.givenUp);
  said.add(...(await writeGenerations(queue, batch)));
  await breathe();
  const balances = await writeLimits(queue, batch, known.balances);
  await said.all();
  return { accounts, balances };
}

/** Answers that are waited for together, later: until then one that fails is no unhandled failure. */
class Answers {
  readonly #awaited: Promise<unknown>[] = [];

  add(...answers: Promise<unknown>[]): void {
    for (const answer of answers) answer.catch(() => undefined);
    this.#awaited.push(...answers);
  }

  async all(): Promise<void> {
    await Promise.all(this.#awaited);
  }
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

async function insertQuarantine(queue: StatementQueue, { quarantine }: BatchFold): Promise<void> {
  if (quarantine.length === 0) return;
  await queue.query(
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

async function upsertWriters(queue: StatementQueue, batch: BatchFold): Promise<void> {
  const rows = [...batch.writers.values()].filter((w) => w.dirty);
  if (rows.length === 0) return;
  await queue.query({
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
  queue: StatementQueue,
  { journals }: BatchFold,
  known: AccountIds,
): Promise<AccountIds> {
  const missing = new Set<string>();
  for (const journal of journals)
    for (const { account } of journal.postings) if (!known.has(account)) missing.add(account);
  if (missing.size === 0) return new Map();
  const names = [...missing].sort();
  await queue.query(
    `insert into ledger.account (name) select * from unnest($1::text[]) on conflict do nothing`,
    [names],
  );
  const { rows } = await queue.query<{ id: number; name: string }>(
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
  queue: StatementQueue,
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
  await Promise.all([
    copyRows(queue, 'ledger.posting', POSTING, postings),
    copyRows(queue, 'ledger.journal', JOURNAL, journals),
  ]);
}

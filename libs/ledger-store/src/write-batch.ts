import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';
import { writeRetention } from './retention-work.js';
import type { GenerationWork } from './rows.js';
import { writeBooks } from './write-books.js';
import { writeLimits } from './write-limits.js';

/** Account ids by name; accounts are never changed, so what a committed transaction saw stays true. */
export type AccountIds = Map<string, number>;

/** Writes what a batch changed, in a fixed number of statements. Returns account ids first seen here. */
export async function writeBatch(
  client: ClientBase,
  batch: BatchFold,
  known: AccountIds,
): Promise<AccountIds> {
  await insertLeaves(client, batch);
  await insertQuarantine(client, batch);
  await upsertWriters(client, batch);
  const fresh = await insertAccounts(client, batch, known);
  await insertJournals(client, batch, known, fresh);
  await writeBooks(client, batch.books);
  await writeRetention(client, batch.retention);
  await upsertGenerations(client, batch);
  await writeLimits(client, batch);
  return fresh;
}

async function insertLeaves(client: ClientBase, { leaves }: BatchFold): Promise<void> {
  if (leaves.length === 0) return;
  await client.query({
    name: 'ledger.insert_leaves',
    text: `insert into ledger.leaf
        (leaf_index, source_id, record_offset, type, generation_id, leaf_hash, recorded_at, effect)
      select * from unnest($1::bigint[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::bytea[],
        $7::timestamptz[], $8::text[])`,
    values: [
      leaves.map((l) => l.index.toString()),
      leaves.map((l) => l.sourceId),
      leaves.map((l) => l.offset.toString()),
      leaves.map((l) => l.type),
      leaves.map((l) => l.generationId),
      leaves.map((l) => l.hash),
      leaves.map((l) => l.recordedAt),
      leaves.map((l) => l.effect),
    ],
  });
}

async function insertQuarantine(client: ClientBase, { quarantine }: BatchFold): Promise<void> {
  if (quarantine.length === 0) return;
  await client.query(
    `insert into ledger.quarantine (leaf_index, code, generation_id, detail)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) on conflict do nothing`,
    [
      quarantine.map((q) => q.leafIndex.toString()),
      quarantine.map((q) => q.code),
      quarantine.map((q) => q.generationId),
      quarantine.map((q) => q.detail),
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

/** Postings first: the trigger on the journal then sees all of them. */
async function insertJournals(
  client: ClientBase,
  { journals }: BatchFold,
  known: AccountIds,
  fresh: AccountIds,
): Promise<void> {
  if (journals.length === 0) return;
  const ids: string[] = [];
  const seqs: number[] = [];
  const accounts: number[] = [];
  const amounts: string[] = [];
  for (const journal of journals)
    journal.postings.forEach((posting, seq) => {
      ids.push(journal.id.toString());
      seqs.push(seq);
      accounts.push(known.get(posting.account) ?? fresh.get(posting.account) ?? -1);
      amounts.push(posting.amountPicoUsd);
    });
  await client.query({
    name: 'ledger.insert_postings',
    text: `insert into ledger.posting (journal_id, seq, account_id, amount)
      select * from unnest($1::bigint[], $2::smallint[], $3::integer[], $4::bigint[])`,
    values: [ids, seqs, accounts, amounts],
  });
  await client.query({
    name: 'ledger.insert_journals',
    text: `insert into ledger.journal
        (id, leaf_index, kind, generation_id, price_book, effective_at, period, reverses, author, reason)
      select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
        $7::text[], $8::bigint[], $9::text[], $10::text[])`,
    values: [
      journals.map((j) => j.id.toString()),
      journals.map((j) => j.leafIndex.toString()),
      journals.map((j) => j.kind),
      journals.map((j) => j.generationId ?? null),
      journals.map((j) => j.priceBook ?? null),
      journals.map((j) => j.effectiveAt),
      journals.map((j) => j.period),
      journals.map((j) => j.reverses?.toString() ?? null),
      journals.map((j) => j.author ?? null),
      journals.map((j) => j.reason ?? null),
    ],
  });
}

/** Documents are sent once, when their record is read; a later batch leaves them as they are. */
async function upsertGenerations(client: ClientBase, batch: BatchFold): Promise<void> {
  if (batch.changed.size === 0) return;
  const rows: object[] = [];
  const posted = new Set(batch.journals.map((j) => j.generationId));
  for (const id of batch.changed) {
    const work = batch.generations.get(id);
    if (work !== undefined) rows.push(generationRow(work, posted.has(id)));
  }
  await client.query({
    name: 'ledger.upsert_generations',
    text: `insert into ledger.generation as g (id, status, organisation_id, workspace_id, key_id, model, provider, writer,
        price_book, received_at, closed_at, last_byte_at, rated_at, posted_at, amount_pico, state, opened, refused,
        dispatched, closes, settled, leaves, refusal_code, policies, destinations)
      select id, status, organisation_id, workspace_id, key_id, model, provider, writer, price_book, received_at,
        closed_at, last_byte_at, rated_at, case when posts then clock_timestamp() end, amount_pico, state, opened,
        refused, dispatched, closes, settled, leaves, refusal_code, policies, destinations
      from json_to_recordset($1::json) as r(id text, status text, organisation_id text, workspace_id text, key_id text,
        model text, provider text, writer text, price_book text, received_at timestamptz, closed_at timestamptz,
        last_byte_at timestamptz, rated_at timestamptz, posts boolean, amount_pico numeric, state json, opened json,
        refused json, dispatched json[], closes json[], settled json, leaves bigint[],
        refusal_code text, policies text[], destinations text[])
      on conflict (id) do update set
        status = excluded.status,
        organisation_id = coalesce(g.organisation_id, excluded.organisation_id),
        workspace_id = coalesce(g.workspace_id, excluded.workspace_id),
        key_id = coalesce(g.key_id, excluded.key_id),
        model = coalesce(g.model, excluded.model),
        provider = coalesce(excluded.provider, g.provider),
        writer = coalesce(g.writer, excluded.writer),
        price_book = coalesce(g.price_book, excluded.price_book),
        received_at = coalesce(g.received_at, excluded.received_at),
        closed_at = coalesce(excluded.closed_at, g.closed_at),
        last_byte_at = coalesce(excluded.last_byte_at, g.last_byte_at),
        rated_at = coalesce(excluded.rated_at, g.rated_at),
        posted_at = coalesce(excluded.posted_at, g.posted_at),
        amount_pico = coalesce(excluded.amount_pico, g.amount_pico),
        state = excluded.state,
        opened = coalesce(g.opened, excluded.opened),
        refused = coalesce(g.refused, excluded.refused),
        dispatched = g.dispatched || excluded.dispatched,
        closes = g.closes || excluded.closes,
        settled = coalesce(excluded.settled, g.settled),
        leaves = g.leaves || excluded.leaves,
        refusal_code = coalesce(g.refusal_code, excluded.refusal_code),
        policies = case when g.policies = '{}' then excluded.policies else g.policies end,
        destinations = excluded.destinations`,
    values: [JSON.stringify(rows)],
  });
}

function generationRow(work: GenerationWork, posts: boolean): object {
  const { state, settled } = work;
  const head = work.opened?.data ?? work.refused?.data;
  return {
    id: state.id,
    status: state.status,
    organisation_id: head?.organisationId,
    workspace_id: head?.workspaceId,
    key_id: head?.keyId,
    model: head?.model,
    provider: providerOf(work),
    writer: state.opening?.writer,
    price_book: state.opening?.priceBook,
    received_at: head?.receivedAt,
    closed_at: work.closedAt ?? undefined,
    last_byte_at: work.lastByteAt ?? undefined,
    rated_at: settled?.ratedAt,
    posts,
    amount_pico: settled?.customerPicoUsd,
    state,
    opened: work.opened,
    refused: work.refused,
    dispatched: work.dispatched,
    closes: work.closes,
    settled,
    leaves: work.leaves,
    refusal_code: work.refused?.data.code,
    policies: [...new Set(head?.decision?.reasons.map((r) => r.id))],
    destinations: [...new Set(state.attempts.map((a) => `${a.provider}/${a.region}`))],
  };
}

/** Who answered, else who was asked last. */
function providerOf({ state }: GenerationWork): string | undefined {
  const ended = state.close?.attempts;
  const answered = ended?.find((a) => a.outcome === 'completed');
  return (answered ?? ended?.at(-1) ?? state.attempts.at(-1))?.provider;
}

import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';
import { writeRetention } from './retention-work.js';
import type { GenerationWork } from './rows.js';
import { writeGivenUp } from './signed-heads.js';
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
  await writeGivenUp(client, batch.givenUp);
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

/**
 * The records themselves are not written again: whoever wants them reads the leaves that the row names. States go as one
 * binary parameter that is cut at the server, as entries do.
 */
async function upsertGenerations(client: ClientBase, batch: BatchFold): Promise<void> {
  const rows: GenerationRow[] = [];
  const posted = new Set(batch.journals.map((j) => j.generationId));
  for (const id of batch.changed) {
    const work = batch.generations.get(id);
    if (work !== undefined) rows.push(generationRow(work, posted.has(id)));
  }
  if (rows.length === 0) return;
  const documents = new Documents();
  const states = rows.map((r) => documents.add(r.state));
  const settled = rows.map((r) => documents.add(r.settled));
  await client.query({
    name: 'ledger.upsert_generations',
    text: `insert into ledger.generation as g (id, status, organisation_id, workspace_id, key_id, model, provider, writer,
        price_book, received_at, closed_at, last_byte_at, rated_at, posted_at, amount_pico, refusal_code,
        policies, destinations, leaves, state, settled)
      select id, status, organisation_id, workspace_id, key_id, model, provider, writer, price_book, received_at,
        closed_at, last_byte_at, rated_at, case when posts then clock_timestamp() end, amount_pico, refusal_code,
        string_to_array(policies, E'\\n'), string_to_array(destinations, E'\\n'), string_to_array(leaves, ' ')::bigint[],
        convert_from(substring($24::bytea from state_at for state_length), 'UTF8')::json,
        convert_from(substring($24::bytea from settled_at for settled_length), 'UTF8')::json
      from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::text[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::boolean[],
        $15::numeric[], $16::text[], $17::text[], $18::text[], $19::text[], $20::integer[], $21::integer[],
        $22::integer[], $23::integer[])
        as r(id, status, organisation_id, workspace_id, key_id, model, provider, writer, price_book, received_at,
          closed_at, last_byte_at, rated_at, posts, amount_pico, refusal_code, policies, destinations, leaves,
          state_at, state_length, settled_at, settled_length)
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
        refusal_code = coalesce(g.refusal_code, excluded.refusal_code),
        policies = case when g.policies = '{}' then excluded.policies else g.policies end,
        destinations = excluded.destinations,
        leaves = g.leaves || excluded.leaves,
        state = excluded.state,
        settled = coalesce(excluded.settled, g.settled)`,
    values: [
      rows.map((r) => r.id),
      rows.map((r) => r.status),
      rows.map((r) => r.organisationId),
      rows.map((r) => r.workspaceId),
      rows.map((r) => r.keyId),
      rows.map((r) => r.model),
      rows.map((r) => r.provider),
      rows.map((r) => r.writer),
      rows.map((r) => r.priceBook),
      rows.map((r) => r.receivedAt),
      rows.map((r) => r.closedAt),
      rows.map((r) => r.lastByteAt),
      rows.map((r) => r.ratedAt),
      rows.map((r) => r.posts),
      rows.map((r) => r.amountPico),
      rows.map((r) => r.refusalCode),
      rows.map((r) => r.policies),
      rows.map((r) => r.destinations),
      rows.map((r) => r.leaves),
      states.map((d) => d?.at),
      states.map((d) => d?.length),
      settled.map((d) => d?.at),
      settled.map((d) => d?.length),
      documents.bytes(),
    ],
  });
}

/**
 * JSON that the database can look into: of an escape for NUL or for half a surrogate pair, in an id that a provider gave,
 * it would say at every later question that it is none. The records keep what was said.
 */
const askable = (json: string): string =>
  /\\u(?:0000|d[89a-f])/.test(json)
    ? JSON.stringify(JSON.parse(json), (_key, value: unknown) =>
        typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value,
      )
    : json;

/** JSON documents behind one another, each found by its place. */
class Documents {
  readonly #pieces: Buffer[] = [];
  #end = 0;

  add(document: object | undefined): { readonly at: number; readonly length: number } | undefined {
    if (document === undefined) return undefined;
    const piece = Buffer.from(askable(JSON.stringify(document)), 'utf8');
    this.#pieces.push(piece);
    this.#end += piece.length;
    return { at: this.#end - piece.length + 1, length: piece.length };
  }

  bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}

type GenerationRow = ReturnType<typeof generationRow>;

/** Lists as lines: no id of a policy, provider or region has a line break. */
function generationRow(work: GenerationWork, posts: boolean) {
  const { state, settled } = work;
  const head = work.opened ?? work.refused;
  return {
    id: state.id,
    status: state.status,
    organisationId: head?.organisationId,
    workspaceId: head?.workspaceId,
    keyId: head?.keyId,
    model: head?.model,
    provider: providerOf(work),
    writer: state.opening?.writer,
    priceBook: state.opening?.priceBook,
    receivedAt: head?.receivedAt,
    closedAt: work.closedAt ?? undefined,
    lastByteAt: work.lastByteAt ?? undefined,
    ratedAt: settled?.ratedAt,
    posts,
    amountPico: settled?.customerPicoUsd,
    refusalCode: work.refused?.code,
    policies: [...new Set(head?.decision?.reasons.map((r) => r.id))].join('\n'),
    destinations: [...new Set(state.attempts.map((a) => `${a.provider}/${a.region}`))].join('\n'),
    leaves: work.leaves.join(' '),
    state,
    settled,
  };
}

/** Who answered, else who was asked last. */
function providerOf({ state }: GenerationWork): string | undefined {
  const ended = state.close?.attempts;
  const answered = ended?.find((a) => a.outcome === 'completed');
  return (answered ?? ended?.at(-1) ?? state.attempts.at(-1))?.provider;
}

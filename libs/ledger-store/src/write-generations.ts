import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';
import { arraysOf, type Column, type ColumnType } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { isOpen, isUnrated, type GenerationWork } from './rows.js';

/**
 * Writes the generations that a batch changed, and what is open or unrated now. The records themselves are not written again:
 * whoever wants them reads the leaves that the row names.
 */
export async function writeGenerations(client: ClientBase, batch: BatchFold): Promise<void> {
  const posted = new Set(batch.journals.map((j) => j.generationId));
  const works: GenerationWork[] = [];
  for (const id of batch.changed) {
    const work = batch.generations.get(id);
    if (work !== undefined) works.push(work);
  }
  if (works.length === 0) return;
  const isNew = (w: GenerationWork): boolean => w.before === undefined;
  const postsAt = works.some((w) => isNew(w) && posted.has(w.state.id))
    ? await databaseTime(client)
    : undefined;
  const rowOf = (w: GenerationWork) => generationRow(w, posted.has(w.state.id));
  const insert = works.filter(isNew).map((w) => {
    const row = rowOf(w);
    return { ...row, postedAt: row.posts ? postsAt : undefined };
  });
  await copyRows(client, 'ledger.generation', INSERTED, insert);
  // A head comes with the first records; a close, and what follows it, leaves it as it is.
  const known = works.filter((w) => !isNew(w));
  const hasHead = (w: GenerationWork): boolean => w.opened !== undefined || w.refused !== undefined;
  await update(client, 'ends', ENDS, known.filter((w) => !hasHead(w)).map(rowOf));
  await update(client, 'heads', [...HEAD, ...ENDS], known.filter(hasHead).map(rowOf));
  await follow(client, 'open_generation', 'writer', works, isOpen, (w) => w.state.opening?.writer);
  await follow(
    client,
    'unrated_generation',
    'price_book',
    works,
    isUnrated,
    (w) => w.state.opening?.priceBook,
  );
}

type GenerationRow = ReturnType<typeof generationRow>;

/** A column, and what an update makes of it. */
interface Updated extends Column<GenerationRow> {
  /** Of `u` (now said) and `g` (so far); absent = what is now said. */
  readonly to?: string;
}

const firstSaid = (
  name: string,
  type: ColumnType,
  of: (row: GenerationRow) => unknown,
): Updated => ({ name, type, of, to: `coalesce(g.${name}, u.${name})` });
const lastSaid = (
  name: string,
  type: ColumnType,
  of: (row: GenerationRow) => unknown,
): Updated => ({ name, type, of, to: `coalesce(u.${name}, g.${name})` });

const ID: Updated = { name: 'id', type: 'text', of: (r) => r.id, to: 'g.id' };

const HEAD: readonly Updated[] = [
  firstSaid('organisation_id', 'text', (r) => r.organisationId),
  firstSaid('workspace_id', 'text', (r) => r.workspaceId),
  firstSaid('key_id', 'text', (r) => r.keyId),
  firstSaid('model', 'text', (r) => r.model),
  firstSaid('writer', 'text', (r) => r.writer),
  firstSaid('price_book', 'text', (r) => r.priceBook),
  firstSaid('received_at', 'timestamptz', (r) => r.receivedAt),
  firstSaid('refusal_code', 'text', (r) => r.refusalCode),
  {
    name: 'policies',
    type: 'text',
    of: (r) => r.policies.join('\n'),
    to: `case when g.policies = '{}' then string_to_array(u.policies, E'\\n') else g.policies end`,
  },
];

const ENDS: readonly Updated[] = [
  { name: 'status', type: 'text', of: (r) => r.status },
  lastSaid('provider', 'text', (r) => r.provider),
  lastSaid('closed_at', 'timestamptz', (r) => r.closedAt),
  lastSaid('last_byte_at', 'timestamptz', (r) => r.lastByteAt),
  lastSaid('rated_at', 'timestamptz', (r) => r.ratedAt),
  {
    name: 'posted_at',
    type: 'bool',
    of: (r) => r.posts,
    to: 'case when u.posted_at then clock_timestamp() else g.posted_at end',
  },
  lastSaid('amount_pico', 'numeric', (r) => r.amountPico),
  // No id of a provider or region has a line break.
  {
    name: 'destinations',
    type: 'text',
    of: (r) => r.destinations.join('\n'),
    to: `string_to_array(u.destinations, E'\\n')`,
  },
  {
    name: 'leaves',
    type: 'text',
    of: (r) => r.leaves.join(' '),
    to: `g.leaves || string_to_array(u.leaves, ' ')::bigint[]`,
  },
  { name: 'state', type: 'json', of: (r) => jsonOf(r.state) },
  lastSaid('settled', 'json', (r) => r.settled && jsonOf(r.settled)),
];

type InsertedRow = GenerationRow & { readonly postedAt: Date | undefined };

const INSERTED: readonly Column<InsertedRow>[] = [
  ID,
  ...HEAD.filter((c) => c.name !== 'policies'),
  ...ENDS.filter((c) => !['posted_at', 'destinations', 'leaves'].includes(c.name)),
  { name: 'policies', type: 'text[]', of: (r) => r.policies },
  { name: 'destinations', type: 'text[]', of: (r) => r.destinations },
  { name: 'leaves', type: 'int8[]', of: (r) => r.leaves },
  { name: 'posted_at', type: 'timestamptz', of: (r) => r.postedAt },
];

async function update(
  client: ClientBase,
  what: string,
  columns: readonly Updated[],
  rows: readonly GenerationRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const sent = [ID, ...columns];
  const set = columns.map((c) => `${c.name} = ${c.to ?? `u.${c.name}`}`);
  await client.query({
    name: `ledger.update_generation_${what}`,
    text: `update ledger.generation g set ${set.join(', ')}
      from unnest(${sent.map((c, i) => `$${i + 1}::${c.type}[]`).join(', ')})
        as u(${sent.map((c) => c.name).join(', ')})
      where g.id = u.id`,
    values: arraysOf(sent, rows),
  });
}

/** Keeps one of the side tables in step: those that have come to it, those that have left it. */
async function follow(
  client: ClientBase,
  table: string,
  column: string,
  works: readonly GenerationWork[],
  belongs: (state: GenerationWork) => boolean,
  of: (work: GenerationWork) => string | undefined,
): Promise<void> {
  const columns: readonly Column<GenerationWork>[] = [
    { name: 'id', type: 'text', of: (w) => w.state.id },
    { name: column, type: 'text', of },
  ];
  const was = (w: GenerationWork): boolean =>
    table === 'open_generation' ? w.before?.open === true : w.before?.unrated === true;
  await copyRows(
    client,
    `ledger.${table}`,
    columns,
    works.filter((w) => belongs(w) && !was(w)),
  );
  const left = works.filter((w) => was(w) && !belongs(w));
  if (left.length === 0) return;
  await client.query({
    name: `ledger.leave_${table}`,
    text: `delete from ledger.${table} where id = any($1::text[])`,
    values: arraysOf(columns.slice(0, 1), left),
  });
}

/** When the rows are written, by the database's clock as everywhere else. */
async function databaseTime(client: ClientBase): Promise<Date> {
  const { rows } = await client.query<{ now: Date }>({
    name: 'ledger.clock',
    text: 'select clock_timestamp() as now',
  });
  return rows[0]!.now;
}

/**
 * JSON that the database can look into: of an escape for NUL or for half a surrogate pair, in an id that a provider gave,
 * it would say at every later question that it is none. The records keep what was said.
 */
function jsonOf(document: object): string {
  const json = JSON.stringify(document);
  return /\\u(?:0000|d[89a-f])/.test(json)
    ? JSON.stringify(JSON.parse(json), (_key, value: unknown) =>
        typeof value === 'string' ? value.replaceAll('\0', '\ufffd').toWellFormed() : value,
      )
    : json;
}

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
    policies: [...new Set(head?.decision?.reasons.map((r) => r.id))],
    destinations: [...new Set(state.attempts.map((a) => `${a.provider}/${a.region}`))],
    leaves: work.leaves,
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

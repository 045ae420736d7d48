import { setImmediate as breathe } from 'node:timers/promises';
import type { BatchFold } from './batch-fold.js';
import { arraysOf, type Column, type ColumnType } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import { isOpen, isUnrated, type GenerationWork } from './rows.js';
import type { StatementQueue } from './statement-queue.js';

/** Rows made in one go, some 2 ms: answers come through in between, and what was said goes on its way. */
const ROWS_AT_ONCE = 64;

/**
 * Writes the generations that a batch changed, and what is open or unrated now. The records themselves are not written again:
 * whoever wants them reads the leaves that the row names. Resolves when all is said, with what will be answered.
 */
export async function writeGenerations(
  queue: StatementQueue,
  batch: BatchFold,
): Promise<readonly Promise<unknown>[]> {
  const posted = new Set(batch.journals.map((j) => j.generationId));
  const fresh = { posted: [] as GenerationRow[], other: [] as GenerationRow[] };
  // A head comes with the first records; a close, and what follows it, leaves it as it is.
  const known = { ends: [] as GenerationRow[], heads: [] as GenerationRow[] };
  const works: GenerationWork[] = [];
  for (const id of batch.changed) {
    const work = batch.generations.get(id);
    if (work === undefined) continue;
    if (works.push(work) % ROWS_AT_ONCE === 0) await breathe();
    const row = generationRow(work, posted.has(id));
    if (work.before === undefined) fresh[row.posts ? 'posted' : 'other'].push(row);
    else known[hasHead(work) ? 'heads' : 'ends'].push(row);
  }
  return [
    copyRows(queue, 'ledger.generation', POSTED, fresh.posted),
    copyRows(queue, 'ledger.generation', INSERTED, fresh.other),
    update(queue, 'ends', ENDS, known.ends),
    update(queue, 'heads', [...HEAD, ...ENDS], known.heads),
    ...follow(queue, 'open_generation', 'writer', works, isOpen, (w) => w.state.opening?.writer),
    ...follow(
      queue,
      'unrated_generation',
      'price_book',
      works,
      isUnrated,
      (w) => w.state.opening?.priceBook,
    ),
  ];
}

const hasHead = (w: GenerationWork): boolean => w.opened !== undefined || w.refused !== undefined;

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

/** The table puts the time at which such a row is written: by its clock, as everywhere else. */
const POSTED: readonly Column<GenerationRow>[] = [
  ID,
  ...HEAD.filter((c) => c.name !== 'policies'),
  ...ENDS.filter((c) => !['posted_at', 'destinations', 'leaves'].includes(c.name)),
  { name: 'policies', type: 'text[]', of: (r) => r.policies },
  { name: 'destinations', type: 'text[]', of: (r) => r.destinations },
  { name: 'leaves', type: 'int8[]', of: (r) => r.leaves },
];

const INSERTED: readonly Column<GenerationRow>[] = [
  ...POSTED,
  { name: 'posted_at', type: 'timestamptz', of: () => undefined },
];

async function update(
  queue: StatementQueue,
  what: string,
  columns: readonly Updated[],
  rows: readonly GenerationRow[],
): Promise<void> {
  if (rows.length === 0) return;
  const sent = [ID, ...columns];
  const set = columns.map((c) => `${c.name} = ${c.to ?? `u.${c.name}`}`);
  await queue.query({
    name: `ledger.update_generation_${what}`,
    text: `update ledger.generation g set ${set.join(', ')}
      from unnest(${sent.map((c, i) => `$${i + 1}::${c.type}[]`).join(', ')})
        as u(${sent.map((c) => c.name).join(', ')})
      where g.id = u.id`,
    values: arraysOf(sent, rows),
  });
}

/** Keeps one of the side tables in step: those that have come to it, those that have left it. */
function follow(
  queue: StatementQueue,
  table: string,
  column: string,
  works: readonly GenerationWork[],
  belongs: (state: GenerationWork) => boolean,
  of: (work: GenerationWork) => string | undefined,
): Promise<unknown>[] {
  const columns: readonly Column<GenerationWork>[] = [
    { name: 'id', type: 'text', of: (w) => w.state.id },
    { name: column, type: 'text', of },
  ];
  const was = (w: GenerationWork): boolean =>
    table === 'open_generation' ? w.before?.open === true : w.before?.unrated === true;
  const come = works.filter((w) => belongs(w) && !was(w));
  const left = works.filter((w) => was(w) && !belongs(w));
  const said: Promise<unknown>[] = [copyRows(queue, `ledger.${table}`, columns, come)];
  if (left.length > 0)
    said.push(
      queue.query({
        name: `ledger.leave_${table}`,
        text: `delete from ledger.${table} where id = any($1::text[])`,
        values: arraysOf(columns.slice(0, 1), left),
      }),
    );
  return said;
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

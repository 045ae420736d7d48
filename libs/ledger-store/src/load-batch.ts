import {
  invoiceKey,
  isGenerationEvent,
  unseen,
  type ClosedPeriod,
  type GenerationState,
} from '#libs/ledger';
import type { LoadedBooks } from './books-work.js';
import type { DecodedRecord } from './decode-records.js';
import { loadRefunds } from './refunds-work.js';
import { isOpen, isUnrated, type GenerationWork, type LeaseRow, type WriterRow } from './rows.js';
import type { Statements } from './statement-queue.js';

/** What a batch must know before it is folded: one query per table. */
export async function loadWriters(
  client: Statements,
  records: readonly DecodedRecord[],
): Promise<Map<string, WriterRow>> {
  const ids = new Set<string>();
  for (const { read } of records) {
    const envelope = read.ok ? read.event : read.envelope;
    if (envelope !== undefined) ids.add(envelope.writer);
    if (read.ok && read.event.type === 'custos.writer.retired.v1')
      ids.add(read.event.data.retiredWriter);
  }
  const { rows } = await client.query<{
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

export async function loadGenerations(
  client: Statements,
  records: readonly DecodedRecord[],
): Promise<Map<string, GenerationWork>> {
  const ids = new Set<string>();
  for (const { read } of records)
    if (read.ok && isGenerationEvent(read.event)) ids.add(read.event.data.generationId);
  if (ids.size === 0) return new Map();
  const { rows } = await client.query<GenerationRow>({
    name: 'ledger.generations',
    text: `${SELECT_GENERATION} where id = any($1::text[])`,
    values: [[...ids]],
  });
  return new Map(rows.map((r) => [r.id, workOf(r)]));
}

export async function loadLeases(
  client: Statements,
  records: readonly DecodedRecord[],
): Promise<Map<string, LeaseRow>> {
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
  const { rows } = await client.query<{
    lease_id: string;
    writer: string;
    scope: string;
    scope_id: string;
    period: string;
    granted: string;
    allotted: string;
    state: string;
  }>({
    name: 'ledger.leases',
    text: `select lease_id, writer, scope, scope_id, period, granted, allotted, state from ledger.lease
      where lease_id = any($1::text[]) for update`,
    values: [[...ids]],
  });
  return new Map(
    rows.map((r) => [
      r.lease_id,
      {
        leaseId: r.lease_id,
        writer: r.writer,
        scope: r.scope,
        scopeId: r.scope_id,
        period: r.period,
        granted: BigInt(r.granted),
        allotted: BigInt(r.allotted),
        open: r.state === 'open',
        dirty: false,
      },
    ]),
  );
}

/** Credit that this batch names and that has been posted before, and the months closed so far. */
export async function loadBooks(
  client: Statements,
  logId: string,
  records: readonly DecodedRecord[],
): Promise<LoadedBooks> {
  const ids = new Set<string>();
  for (const { read } of records)
    if (read.ok && read.event.type === 'custos.ledger.credit.v1') ids.add(read.event.data.creditId);
  const invoices = await loadInvoices(client, records);
  const { rows: credits } =
    ids.size === 0
      ? { rows: [] }
      : await client.query<{ credit_id: string }>(
          'select credit_id from ledger.credit where credit_id = any($1::text[])',
          [[...ids]],
        );
  const { rows: closedPeriods } = await client.query<ClosedPeriod>({
    name: 'ledger.closed_periods',
    text: `select period, log_id as "logId", through from ledger.period order by period`,
  });
  return {
    logId,
    credits: new Set(credits.map((c) => c.credit_id)),
    refunds: await loadRefunds(client, records),
    invoices,
    closedPeriods,
  };
}

/** Keys of the invoices that this batch names and that stand already. */
async function loadInvoices(
  client: Statements,
  records: readonly DecodedRecord[],
): Promise<ReadonlySet<string>> {
  const periods = new Set<string>();
  for (const { read } of records)
    if (read.ok && read.event.type === 'custos.ledger.invoice_issued.v1')
      periods.add(read.event.data.period);
  if (periods.size === 0) return new Set();
  const { rows } = await client.query<{ organisation_id: string; period: string }>(
    'select organisation_id, period from ledger.invoice where period = any($1::text[])',
    [[...periods]],
  );
  return new Set(rows.map((r) => invoiceKey(r.organisation_id, r.period)));
}

/** Versions that this batch may have to rate by. */
export function priceBooksOf(
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

export const SELECT_GENERATION = `select id, state, settled, closed_at, last_byte_at from ledger.generation`;

export interface GenerationRow {
  readonly id: string;
  readonly state: GenerationState | null;
  readonly settled: GenerationWork['settled'] | null;
  readonly closed_at: Date | null;
  readonly last_byte_at: Date | null;
}

export function workOf(row: GenerationRow): GenerationWork {
  const known = {
    state: datedClose(row.state ?? unseen(row.id), row.closed_at),
    settled: row.settled ?? undefined,
    closedAt: row.closed_at?.toISOString() ?? null,
  };
  return {
    ...known,
    opened: undefined,
    refused: undefined,
    leaves: [],
    lastByteAt: row.last_byte_at?.toISOString() ?? null,
    before: { open: isOpen(known), unrated: isUnrated(known) },
  };
}

/** States written before a close bore its own time: the row has it. */
const datedClose = (state: GenerationState, closedAt: Date | null): GenerationState =>
  state.close === undefined || typeof state.close.at === 'string' || closedAt === null
    ? state
    : { ...state, close: { ...state.close, at: closedAt.toISOString() } };

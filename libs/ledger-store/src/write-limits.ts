import { LIFETIME } from '#libs/kernel';
import type { BatchFold } from './batch-fold.js';
import { arraysOf, type Column } from './binary-columns.js';
import { copyRows } from './copy-in.js';
import type { LimitsWork } from './limits-work.js';
import type { BalanceDelta, HoldRow, LeaseRow } from './rows.js';
import type { StatementQueue, Statements } from './statement-queue.js';

/**
 * Writes what a batch changed of holds, leases and balances, the balances last. `known`: balances that are there, which none
 * ever leaves. Returns the names of those that are there now as well.
 */
export async function writeLimits(
  queue: StatementQueue,
  { limits, writers, books }: BatchFold,
  known: ReadonlySet<string>,
): Promise<readonly string[]> {
  for (const { organisationId, amount } of books.credits) limits.buy(organisationId, amount);
  for (const { said } of books.refunds.granted)
    limits.refund(said.organisationId, BigInt(said.amountPicoUsd));
  for (const { organisationId, amount } of books.refunds.released)
    limits.unreserve(organisationId, amount);
  const ended = [...writers.values()].filter((w) => w.dirty && hasEnded(w)).map((w) => w.writer);
  // Before any balance is locked: whoever asks for a lease takes the writer's lock first, too.
  const said = [
    lockOutQuestions(queue, [...ended, ...limits.unknownReturns.values()]),
    copyRows(queue, 'ledger.hold', HOLD, [...limits.placed.values()].flat()),
    endHolds(queue, limits),
    updateLeases(queue, limits),
    // What these two give back is part of the balances.
    returnUnknown(queue, limits)
      .then(() => returnOfEnded(queue, limits, ended))
      .then(() => updateBalances(queue, limits, known)),
  ];
  await Promise.all(said);
  return limits.deltas.map(nameOf).filter((name) => !known.has(name));
}

/** From here to the end of the transaction no lease is granted to these writers; those granted before can be seen. */
async function lockOutQuestions(client: Statements, writers: readonly string[]): Promise<void> {
  if (writers.length === 0) return;
  await client.query(
    `select pg_advisory_xact_lock(hashtextextended('ledger.leases of ' || w.writer, 0))
     from (select distinct writer from unnest($1::text[]) as u(writer) order by 1) as w`,
    [writers],
  );
}

const HOLD: readonly Column<HoldRow>[] = [
  { name: 'generation_id', type: 'text', of: (h) => h.generationId },
  { name: 'scope', type: 'text', of: (h) => h.scope },
  { name: 'scope_id', type: 'text', of: (h) => h.scopeId },
  { name: 'lease_id', type: 'text', of: (h) => h.leaseId },
  { name: 'period', type: 'text', of: (h) => h.period },
  { name: 'amount', type: 'numeric', of: (h) => h.amount },
  { name: 'state', type: 'text', of: (h) => h.state },
];

const END: readonly Column<readonly [string, string]>[] = [
  { name: 'generation_id', type: 'text', of: ([id]) => id },
  { name: 'state', type: 'text', of: ([, state]) => state },
];

async function endHolds(client: Statements, { ended }: LimitsWork): Promise<void> {
  if (ended.size === 0) return;
  await client.query({
    name: 'ledger.end_holds',
    text: `update ledger.hold h set state = e.state
      from unnest($1::text[], $2::text[]) as e(generation_id, state)
      where h.generation_id = e.generation_id and h.state = 'held'`,
    values: arraysOf(END, [...ended]),
  });
}

const LEASE: readonly Column<LeaseRow>[] = [
  { name: 'lease_id', type: 'text', of: (l) => l.leaseId },
  { name: 'allotted', type: 'numeric', of: (l) => l.allotted },
  { name: 'state', type: 'text', of: (l) => (l.open ? 'open' : 'returned') },
];

async function updateLeases(client: Statements, limits: LimitsWork): Promise<void> {
  const leases = [...limits.leases.values()].filter((l) => l.dirty);
  if (leases.length === 0) return;
  await client.query({
    name: 'ledger.update_leases',
    text: `update ledger.lease l set allotted = u.allotted, state = u.state
      from unnest($1::text[], $2::numeric[], $3::text[]) as u(lease_id, allotted, state)
      where l.lease_id = u.lease_id`,
    values: arraysOf(LEASE, leases),
  });
}

const nameOf = (d: BalanceDelta): string => `${d.scope}:${d.scopeId}:${d.period}`;

const SCOPE: readonly Column<BalanceDelta>[] = [
  { name: 'scope', type: 'text', of: (d) => d.scope },
  { name: 'scope_id', type: 'text', of: (d) => d.scopeId },
  { name: 'period', type: 'text', of: (d) => d.period },
];
const CHANGE: readonly Column<BalanceDelta>[] = [
  ...SCOPE,
  { name: 'posted', type: 'numeric', of: (d) => d.posted },
  { name: 'held', type: 'numeric', of: (d) => d.held },
  { name: 'leased', type: 'numeric', of: (d) => d.leased },
];

/**
 * Each scope's lifetime row is its lock, also for whoever asks for a lease: with those taken in one order the rest may be
 * changed in any. `known`: rows that are there for certain.
 */
async function updateBalances(
  queue: StatementQueue,
  { deltas }: LimitsWork,
  known: ReadonlySet<string>,
): Promise<void> {
  if (deltas.length === 0) return;
  const unknown = deltas.filter((d) => !known.has(nameOf(d)));
  // Not as one upsert: its proposed row would carry a negative amount and fail the checks before the conflict shows.
  const inserted =
    unknown.length > 0 &&
    queue.query({
      name: 'ledger.insert_scopes',
      text: `insert into ledger.period_balance (scope, scope_id, period)
        select * from unnest($1::text[], $2::text[], $3::text[]) on conflict do nothing`,
      values: arraysOf(SCOPE, unknown),
    });
  const locked = queue.query({
    name: 'ledger.lock_scopes',
    text: `select from ledger.period_balance b
      join unnest($1::text[], $2::text[], $3::text[]) as d(scope, scope_id, period) using (scope, scope_id, period)
      order by b.scope, b.scope_id for update of b`,
    values: arraysOf(
      SCOPE,
      deltas.filter((d) => d.period === LIFETIME),
    ),
  });
  const updated = queue.query({
    name: 'ledger.update_scopes',
    text: `update ledger.period_balance b set
        posted = b.posted + d.posted, held = b.held + d.held, leased = b.leased + d.leased
      from unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::numeric[])
        as d(scope, scope_id, period, posted, held, leased)
      where b.scope = d.scope and b.scope_id = d.scope_id and b.period = d.period`,
    values: arraysOf(CHANGE, deltas),
  });
  const [, , { rowCount }] = await Promise.all([inserted, locked, updated]);
  if (rowCount !== deltas.length)
    throw new Error(`${deltas.length} balances to change, ${rowCount ?? 0} found`);
}

/**
 * Given back before they were granted as far as this batch saw: a stone for those whose question is still on its way,
 * and the room of those that were granted meanwhile.
 */
async function returnUnknown(client: Statements, limits: LimitsWork): Promise<void> {
  const { unknownReturns } = limits;
  if (unknownReturns.size === 0) return;
  const values = [[...unknownReturns.keys()], [...unknownReturns.values()]];
  await client.query(
    `insert into ledger.lease_given_back (lease_id, writer)
     select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
    values,
  );
  await returnLeases(
    client,
    limits,
    `(lease_id, writer) in (select * from unnest($1::text[], $2::text[]))`,
    values,
  );
}

/** Nothing of it is still to be read: what it leased and did not use is free again, and it gets nothing any more. */
async function returnOfEnded(
  client: Statements,
  limits: LimitsWork,
  writers: readonly string[],
): Promise<void> {
  if (writers.length === 0) return;
  await returnLeases(client, limits, `writer = any($1::text[])`, [writers]);
  await client.query(`delete from ledger.lease_given_back where writer = any($1::text[])`, [
    writers,
  ]);
}

async function returnLeases(
  client: Statements,
  limits: LimitsWork,
  which: string,
  values: readonly unknown[],
): Promise<void> {
  const { rows } = await client.query<{
    scope: string;
    scope_id: string;
    period: string;
    unspent: string;
  }>(
    `update ledger.lease set state = 'returned' where ${which} and state = 'open'
     returning scope, scope_id, period, greatest(granted - allotted, 0) as unspent`,
    [...values],
  );
  for (const { scope, scope_id: scopeId, period, unspent } of rows)
    limits.unlease({ scope, scopeId, period }, BigInt(unspent));
}

const hasEnded = (w: {
  readonly stopped: boolean;
  readonly retired: boolean;
  readonly wseq: number;
  readonly retiredAfterWseq: number | null;
}): boolean => w.stopped || (w.retired && w.wseq >= (w.retiredAfterWseq ?? -1));

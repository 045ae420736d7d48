import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';
import type { LimitsWork } from './limits-work.js';

/** Writes what a batch changed of holds, leases and balances, the balances last and in one fixed order. */
export async function writeLimits(
  client: ClientBase,
  { limits, writers, books }: BatchFold,
): Promise<void> {
  for (const { organisationId, amount } of books.credits) limits.buy(organisationId, amount);
  const ended = [...writers.values()].filter((w) => w.dirty && hasEnded(w)).map((w) => w.writer);
  // Before any balance is locked: whoever asks for a lease takes the writer's lock first, too.
  await lockOutQuestions(client, [...ended, ...limits.unknownReturns.values()]);
  await insertHolds(client, limits);
  await endHolds(client, limits);
  await updateLeases(client, limits);
  await returnUnknown(client, limits);
  await returnOfEnded(client, limits, ended);
  await updateBalances(client, limits);
}

/** From here to the end of the transaction no lease is granted to these writers; those granted before can be seen. */
async function lockOutQuestions(client: ClientBase, writers: readonly string[]): Promise<void> {
  if (writers.length === 0) return;
  await client.query(
    `select pg_advisory_xact_lock(hashtextextended('ledger.leases of ' || w.writer, 0))
     from (select distinct writer from unnest($1::text[]) as u(writer) order by 1) as w`,
    [writers],
  );
}

async function insertHolds(client: ClientBase, { placed }: LimitsWork): Promise<void> {
  const born = [...placed.values()].flat();
  if (born.length === 0) return;
  await client.query({
    name: 'ledger.insert_holds',
    text: `insert into ledger.hold (generation_id, scope, scope_id, lease_id, period, amount, state)
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[])`,
    values: [
      born.map((h) => h.generationId),
      born.map((h) => h.scope),
      born.map((h) => h.scopeId),
      born.map((h) => h.leaseId),
      born.map((h) => h.period),
      born.map((h) => h.amount.toString()),
      born.map((h) => h.state),
    ],
  });
}

async function endHolds(client: ClientBase, { ended }: LimitsWork): Promise<void> {
  if (ended.size === 0) return;
  await client.query({
    name: 'ledger.end_holds',
    text: `update ledger.hold h set state = e.state
      from unnest($1::text[], $2::text[]) as e(generation_id, state)
      where h.generation_id = e.generation_id and h.state = 'held'`,
    values: [[...ended.keys()], [...ended.values()]],
  });
}

async function updateLeases(client: ClientBase, limits: LimitsWork): Promise<void> {
  const leases = [...limits.leases.values()].filter((l) => l.dirty);
  if (leases.length === 0) return;
  await client.query({
    name: 'ledger.update_leases',
    text: `update ledger.lease l set allotted = u.allotted, state = u.state
      from unnest($1::text[], $2::numeric[], $3::text[]) as u(lease_id, allotted, state)
      where l.lease_id = u.lease_id`,
    values: [
      leases.map((l) => l.leaseId),
      leases.map((l) => l.allotted.toString()),
      leases.map((l) => (l.open ? 'open' : 'returned')),
    ],
  });
}

async function updateBalances(client: ClientBase, { deltas }: LimitsWork): Promise<void> {
  if (deltas.length === 0) return;
  const scopes = deltas.map((d) => d.scope);
  const ids = deltas.map((d) => d.scopeId);
  const periods = deltas.map((d) => d.period);
  // Not as one upsert: its proposed row would carry a negative amount and fail the checks before the conflict shows.
  await client.query({
    name: 'ledger.insert_scopes',
    text: `insert into ledger.period_balance (scope, scope_id, period)
      select * from unnest($1::text[], $2::text[], $3::text[]) on conflict do nothing`,
    values: [scopes, ids, periods],
  });
  await client.query({
    name: 'ledger.update_scopes',
    text: `with locked as (
        select b.scope, b.scope_id, b.period, d.posted, d.held, d.leased
        from ledger.period_balance b
        join unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::numeric[], $6::numeric[])
          as d(scope, scope_id, period, posted, held, leased) using (scope, scope_id, period)
        order by b.period <> 'lifetime', b.scope, b.scope_id, b.period for update of b)
      update ledger.period_balance b set
        posted = b.posted + d.posted, held = b.held + d.held, leased = b.leased + d.leased
      from locked d where b.scope = d.scope and b.scope_id = d.scope_id and b.period = d.period`,
    values: [
      scopes,
      ids,
      periods,
      deltas.map((d) => d.posted.toString()),
      deltas.map((d) => d.held.toString()),
      deltas.map((d) => d.leased.toString()),
    ],
  });
}

/**
 * Given back before they were granted as far as this batch saw: a stone for those whose question is still on its way,
 * and the room of those that were granted meanwhile.
 */
async function returnUnknown(client: ClientBase, limits: LimitsWork): Promise<void> {
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
  client: ClientBase,
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
  client: ClientBase,
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

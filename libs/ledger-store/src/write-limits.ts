import type { ClientBase } from 'pg';
import type { BatchFold } from './batch-fold.js';

/** Writes what a batch changed of holds, leases and balances, the balances last and in one fixed order. */
export async function writeLimits(
  client: ClientBase,
  { limits, writers }: BatchFold,
): Promise<void> {
  const { deltas } = limits;
  const born = [...limits.placed.values()].flat();
  if (born.length > 0)
    await client.query({
      name: 'ledger.insert_holds',
      text: `insert into ledger.hold (generation_id, scope, scope_id, lease_id, amount, state)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::text[])`,
      values: [
        born.map((h) => h.generationId),
        born.map((h) => h.scope),
        born.map((h) => h.scopeId),
        born.map((h) => h.leaseId),
        born.map((h) => h.amount.toString()),
        born.map((h) => h.state),
      ],
    });
  if (limits.ended.size > 0)
    await client.query({
      name: 'ledger.end_holds',
      text: `update ledger.hold h set state = e.state
        from unnest($1::text[], $2::text[]) as e(generation_id, state)
        where h.generation_id = e.generation_id and h.state = 'held'`,
      values: [[...limits.ended.keys()], [...limits.ended.values()]],
    });
  const leases = [...limits.leases.values()].filter((l) => l.dirty);
  if (leases.length > 0)
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
  if (deltas.length > 0) {
    const scopes = deltas.map((d) => d.scope);
    const ids = deltas.map((d) => d.scopeId);
    // Not as one upsert: its proposed row would carry a negative amount and fail the checks before the conflict shows.
    await client.query({
      name: 'ledger.insert_scopes',
      text: `insert into ledger.scope_balance (scope, scope_id)
        select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
      values: [scopes, ids],
    });
    await client.query({
      name: 'ledger.update_scopes',
      text: `with locked as (
          select b.scope, b.scope_id, d.posted, d.held, d.leased
          from ledger.scope_balance b
          join unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::numeric[])
            as d(scope, scope_id, posted, held, leased) using (scope, scope_id)
          order by b.scope, b.scope_id for update of b)
        update ledger.scope_balance b set
          posted = b.posted + d.posted, held = b.held + d.held, leased = b.leased + d.leased
        from locked d where b.scope = d.scope and b.scope_id = d.scope_id`,
      values: [
        scopes,
        ids,
        deltas.map((d) => d.posted.toString()),
        deltas.map((d) => d.held.toString()),
        deltas.map((d) => d.leased.toString()),
      ],
    });
  }
  const ended = [...writers.values()].filter((w) => w.dirty && hasEnded(w)).map((w) => w.writer);
  if (ended.length > 0) await returnLeases(client, ended);
}

/** Nothing of it is still to be read: what it leased and did not use is free again. */
const hasEnded = (w: {
  readonly stopped: boolean;
  readonly retired: boolean;
  readonly wseq: number;
  readonly retiredAfterWseq: number | null;
}): boolean => w.stopped || (w.retired && w.wseq >= (w.retiredAfterWseq ?? -1));

async function returnLeases(client: ClientBase, writers: readonly string[]): Promise<void> {
  await client.query(
    `with returned as (
       update ledger.lease set state = 'returned' where writer = any($1::text[]) and state = 'open'
       returning scope, scope_id, greatest(granted - allotted, 0) as unspent),
     sums as (select scope, scope_id, sum(unspent) as unspent from returned group by scope, scope_id)
     update ledger.scope_balance b set leased = b.leased - s.unspent
     from sums s where b.scope = s.scope and b.scope_id = s.scope_id`,
    [writers],
  );
}

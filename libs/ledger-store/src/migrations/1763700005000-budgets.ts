import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Budgets with intervals. A scope has one balance per calendar period that it was used in, and one for its lifetime;
 * a lease lies in one of them. A lease is known by the id that its writer gave it, also when its answer never arrived.
 */
export class Budgets1763700005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(PERIODS);
    await runner.query(LEASES);
    await runner.query(SEED);
    await runner.query(GRANT_LEASE);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const PERIODS = `
alter table ledger.lease drop constraint lease_scope_scope_id_fkey;
alter table ledger.scope_balance rename to period_balance;
alter table ledger.period_balance
  add column period text not null default 'lifetime',
  drop constraint scope_balance_pkey,
  add primary key (scope, scope_id, period);
alter table ledger.period_balance alter column period drop default;
create view ledger.scope_balance as
  select scope, scope_id, posted, held, leased from ledger.period_balance where period = 'lifetime';
comment on view ledger.scope_balance is 'Over the lifetime of each scope.';
comment on column ledger.period_balance.period is
  'lifetime, or a day 2026-11-21, an ISO week 2026-W47, a month 2026-11 of the UTC calendar; prepaid: what an organisation used of its credit, less what it bought.';
comment on column ledger.period_balance.leased is
  'Only of leases that lie in this very period; posted and held stand in all periods of their generation.';
`;

const LEASES = `
alter table ledger.lease
  add column period text not null default 'lifetime',
  add column reset text check (reset in ('daily', 'weekly', 'monthly')),
  add column ends_at timestamptz,
  add column needed numeric(38,0),
  add column wanted numeric(38,0),
  add foreign key (scope, scope_id, period) references ledger.period_balance,
  add check ((reset is null) = (period = 'lifetime')),
  add check ((reset is null) = (ends_at is null));
alter table ledger.lease alter column period drop default;
create index lease_open_scope on ledger.lease (scope, scope_id) where state = 'open';
comment on column ledger.lease.needed is 'Its terms: whoever asks again under its id with the same ones gets the same answer.';

alter table ledger.hold add column period text not null default 'lifetime';
alter table ledger.hold alter column period drop default;
comment on column ledger.hold.period is 'The period of its lease. It is held there and captured there, whenever that is.';

create table ledger.lease_given_back (
  lease_id text primary key,
  writer text not null,
  recorded_at timestamptz not null default clock_timestamp()
);
create index lease_given_back_writer on ledger.lease_given_back (writer);
comment on table ledger.lease_given_back is
  'Leases given back before they were granted: a question that is still on its way finds its answer here. Emptied of a writer that has ended, since the ended get nothing.';
`;

/** Older generations are counted by the time of their hold, as the fold counts them from here on. */
const SEED = `
insert into ledger.period_balance (scope, scope_id, period, posted, held)
select scope, scope_id, period, sum(posted), sum(held)
from (
    select s.scope, s.scope_id, g.id, g.amount_pico as posted, 0 as held
    from ledger.generation g
    cross join lateral (values ('key', g.key_id), ('workspace', g.workspace_id),
      ('organisation', g.organisation_id)) as s(scope, scope_id)
    where g.amount_pico <> 0
    union all
    select h.scope, h.scope_id, h.generation_id, 0, h.amount from ledger.hold h where h.state = 'held'
  ) as said
  join (
    select id, coalesce((opened -> 'data' -> 'hold' ->> 'at')::timestamptz, received_at) at time zone 'UTC' as at
    from ledger.generation) as placed using (id)
  cross join lateral (values (to_char(at, 'YYYY-MM-DD')), (to_char(at, 'IYYY"-W"IW')), (to_char(at, 'YYYY-MM')))
    as p(period)
where at is not null
group by scope, scope_id, period;
`;

/**
 * One round trip; the scope's lifetime row is the lock: whoever changes posted, held or leased of any of its periods
 * takes that row first. The sum under the limit never passes it: posted and held of the period, leases of
 * the period, and leases of limits of another kind (a limit that has just become daily must not double its room).
 * Whoever pays in advance has a second bound, beside the limit: the credit, with all its leases.
 *
 * The writer's lock is shared among its questions and taken alone by the fold that ends the writer or lays a lease's
 * stone before it was granted: so a grant is either seen by that fold, or sees it.
 *
 * verdict: granted | no_room | given_back | writer_ended | other_terms.
 */
const GRANT_LEASE = `
drop function ledger.grant_lease(text, text, text, text, numeric, numeric, numeric);
create function ledger.grant_lease(
  p_lease text, p_writer text, p_scope text, p_scope_id text,
  p_period text, p_reset text, p_ends_at timestamptz,
  p_needed numeric, p_wanted numeric, p_limit numeric, p_prepaid boolean,
  out verdict text, out granted numeric, out period text, out ends_at timestamptz,
  out posted numeric, out held numeric, out leased numeric, out by_credit boolean
) language plpgsql as $$
declare
  known ledger.lease;
  prepaid ledger.period_balance;
  other_kinds numeric;
  all_leased numeric;
  room numeric;
begin
  by_credit := false;
  perform pg_advisory_xact_lock_shared(hashtextextended('ledger.leases of ' || p_writer, 0));
  insert into ledger.period_balance (scope, scope_id, period)
  select p_scope, p_scope_id, n.name from (values (p_period), ('lifetime'), ('prepaid')) as n(name)
  where n.name <> 'prepaid' or p_prepaid
  group by n.name order by n.name <> 'lifetime', n.name on conflict do nothing;
  perform from ledger.period_balance b
  where b.scope = p_scope and b.scope_id = p_scope_id and b.period in (p_period, 'lifetime', 'prepaid')
  order by b.period <> 'lifetime', b.period for update;
  select b.posted, b.held, b.leased into posted, held, leased from ledger.period_balance b
  where b.scope = p_scope and b.scope_id = p_scope_id and b.period = p_period;

  select * into known from ledger.lease l where l.lease_id = p_lease;
  if found then
    if (known.writer, known.scope, known.scope_id, known.needed, known.wanted)
       is distinct from (p_writer, p_scope, p_scope_id, p_needed, p_wanted) then
      verdict := 'other_terms';
    elsif known.state <> 'open' then
      verdict := 'given_back';
    else
      verdict := 'granted';
      granted := known.granted;
      period := known.period;
      ends_at := known.ends_at;
    end if;
    return;
  end if;
  if exists (select from ledger.lease_given_back b where b.lease_id = p_lease) then
    verdict := 'given_back';
    return;
  end if;
  if exists (select from ledger.writer_high_water w where w.writer = p_writer and (w.retired or w.stopped)) then
    verdict := 'writer_ended';
    return;
  end if;

  select coalesce(sum(greatest(l.granted - l.allotted, 0)), 0),
    coalesce(sum(greatest(l.granted - l.allotted, 0)) filter (where l.reset is distinct from p_reset), 0)
  into all_leased, other_kinds
  from ledger.lease l where l.scope = p_scope and l.scope_id = p_scope_id and l.state = 'open';
  leased := leased + other_kinds;
  room := p_limit - posted - held - leased;
  if p_prepaid then
    select * into prepaid from ledger.period_balance b
    where b.scope = p_scope and b.scope_id = p_scope_id and b.period = 'prepaid';
    if - prepaid.posted - prepaid.held - all_leased < room then
      by_credit := true;
      posted := prepaid.posted;
      held := prepaid.held;
      leased := all_leased;
      room := - posted - held - leased;
    end if;
  end if;
  if room < p_needed or room <= 0 then
    verdict := 'no_room';
    return;
  end if;
  verdict := 'granted';
  granted := least(greatest(p_needed, p_wanted), room);
  period := p_period;
  ends_at := p_ends_at;
  insert into ledger.lease (lease_id, writer, scope, scope_id, period, reset, ends_at, needed, wanted, granted)
  values (p_lease, p_writer, p_scope, p_scope_id, p_period, p_reset, p_ends_at, p_needed, p_wanted, granted);
  update ledger.period_balance b set leased = b.leased + granted
  where b.scope = p_scope and b.scope_id = p_scope_id and b.period = p_period;
end $$;
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert, delete on ledger.lease_given_back to custos_app;
    grant select on ledger.scope_balance to custos_app;
  end if;
end $$;
`;

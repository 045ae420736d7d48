import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What must hold whoever writes: books balance, history stays, holds only end. A superuser can switch triggers off;
 * that is what the transparency tree is for.
 */
export class LedgerRules1763700002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(APPEND_ONLY);
    await runner.query(BALANCED);
    await runner.query(HOLDS);
    await runner.query(PARTITIONS);
    await runner.query(LEASES);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const APPEND_ONLY = `
create function ledger.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on %.% is refused: its rows are history', tg_op, tg_table_schema, tg_table_name
    using errcode = 'restrict_violation';
end $$;

do $$
declare t text;
begin
  foreach t in array array['leaf', 'journal', 'posting', 'account', 'price_book'] loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
  foreach t in array array['source_offset', 'tree_state', 'quarantine', 'hold', 'writer_high_water'] loop
    execute format('create trigger stays before delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
end $$;
`;

/**
 * Postings are inserted before their journal (the foreign key waits for the end of the transaction), so that one
 * statement trigger on the journal sees them all; seq 0 is then taken, and nothing can be added later.
 */
const BALANCED = `
create function ledger.journal_balances() returns trigger language plpgsql as $$
declare bad bigint;
begin
  select j.id into bad
  from fresh j left join ledger.posting p on p.journal_id = j.id
  group by j.id
  having count(p.seq) < 2 or sum(p.amount) <> 0 or min(p.seq) <> 0 or max(p.seq) <> count(p.seq) - 1
  limit 1;
  if found then
    raise exception 'journal % does not balance', bad using errcode = 'check_violation';
  end if;
  return null;
end $$;
create trigger balances after insert on ledger.journal
  referencing new table as fresh for each statement execute function ledger.journal_balances();

create function ledger.postings_precede_journal() returns trigger language plpgsql as $$
declare late bigint;
begin
  select f.journal_id into late from fresh f join ledger.journal j on j.id = f.journal_id limit 1;
  if found then
    raise exception 'journal % is closed for postings', late using errcode = 'check_violation';
  end if;
  return null;
end $$;
create trigger precede_journal after insert on ledger.posting
  referencing new table as fresh for each statement execute function ledger.postings_precede_journal();
`;

const HOLDS = `
create function ledger.hold_moves() returns trigger language plpgsql as $$
begin
  if old.state <> 'held' or new.state not in ('captured', 'released')
     or (new.generation_id, new.scope, new.scope_id, new.lease_id, new.amount)
        is distinct from (old.generation_id, old.scope, old.scope_id, old.lease_id, old.amount) then
    raise exception 'hold of % cannot go from % to %', old.generation_id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger moves before update on ledger.hold for each row execute function ledger.hold_moves();
`;

/** The app's role owns no table and may create none, so a function of the owner makes the partitions. */
const PARTITIONS = `
create function ledger.ensure_leaf_partitions(up_to bigint) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
  span constant bigint := 4000000;
  lower_bound bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.leaf partitions', 0));
  for lower_bound in select generate_series(0, up_to, span) loop
    if to_regclass(format('ledger.leaf_%s', lower_bound / span)) is null then
      execute format('create table ledger.leaf_%s partition of ledger.leaf for values from (%s) to (%s)',
        lower_bound / span, lower_bound, lower_bound + span);
      -- A statement trigger of the parent does not see a statement that names the partition.
      execute format('create trigger append_only before update or delete or truncate on ledger.leaf_%s
        for each statement execute function ledger.refuse_change()', lower_bound / span);
    end if;
  end loop;
  return (up_to / span + 1) * span;
end $$;
revoke all on function ledger.ensure_leaf_partitions(bigint) from public;
select ledger.ensure_leaf_partitions(4000000);
`;

/**
 * One round trip, one row lock: posted + held + leased + needed <= limit holds at every instant because every change of
 * the three goes through the same row. A retired writer gets nothing.
 */
const LEASES = `
create function ledger.grant_lease(
  p_lease text, p_writer text, p_scope text, p_scope_id text,
  p_needed numeric, p_wanted numeric, p_limit numeric,
  out granted numeric, out posted numeric, out held numeric, out leased numeric
) language plpgsql as $$
begin
  insert into ledger.scope_balance (scope, scope_id) values (p_scope, p_scope_id) on conflict do nothing;
  select b.posted, b.held, b.leased into posted, held, leased
  from ledger.scope_balance b where b.scope = p_scope and b.scope_id = p_scope_id for update;
  if posted + held + leased + p_needed > p_limit
     or exists (select from ledger.writer_high_water w where w.writer = p_writer and (w.retired or w.stopped)) then
    return;
  end if;
  granted := least(greatest(p_needed, p_wanted), p_limit - posted - held - leased);
  insert into ledger.lease (lease_id, writer, scope, scope_id, granted)
  values (p_lease, p_writer, p_scope, p_scope_id, granted);
  update ledger.scope_balance b set leased = b.leased + granted
  where b.scope = p_scope and b.scope_id = p_scope_id;
end $$;
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant usage on schema ledger to custos_app;
    grant select, insert on all tables in schema ledger to custos_app;
    grant update on ledger.source_offset, ledger.tree_state, ledger.writer_high_water, ledger.quarantine,
      ledger.generation, ledger.scope_balance, ledger.lease, ledger.hold to custos_app;
    grant execute on function ledger.ensure_leaf_partitions(bigint) to custos_app;
  end if;
end $$;
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What may go, and what must not: entries in pieces that end where a month does, legal holds, and what was removed
 * under which policy. Only functions of the owner cut and remove; each looks for itself at what makes it lawful.
 */
export class Retention1763700006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(GUARDS);
    await runner.query(PARTS);
    await runner.query(CUT);
    await runner.query(HELD);
    await runner.query(REMOVE);
    await runner.query(SMALLER_PARTS);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const TABLES = `
create table ledger.legal_hold (
  hold_id text primary key,
  organisation_id text,
  workspace_id text,
  key_id text,
  covers_from timestamptz,
  covers_to timestamptz,
  set_said json,
  set_leaf bigint references ledger.leaf,
  lifted_said json,
  lifted_leaf bigint references ledger.leaf,
  check ((set_said is null) = (set_leaf is null) and (lifted_said is null) = (lifted_leaf is null)),
  check (set_leaf is not null or lifted_leaf is not null)
);
comment on table ledger.legal_hold is
  'In force from the record that sets it to the record that lifts it, whichever of them is read first.';

create table ledger.retention (
  leaf_index bigint primary key references ledger.leaf,
  at timestamptz not null,
  author text not null,
  policy_digest text not null,
  before timestamptz not null
);
comment on table ledger.retention is 'Records that say what is to go: nothing goes without one.';

create table ledger.retention_range (
  leaf_index bigint not null references ledger.retention,
  first_leaf bigint not null,
  end_leaf bigint not null,
  first_hash bytea not null,
  last_hash bytea not null,
  removed_at timestamptz,
  primary key (leaf_index, first_leaf),
  check (first_leaf >= 0 and first_leaf < end_leaf)
);
create index retention_range_removed on ledger.retention_range (end_leaf) where removed_at is not null;

create table ledger.entry_cut (
  month text primary key check (month ~ '^\\d{4}-(0[1-9]|1[0-2])$'),
  boundary bigint not null check (boundary % 256 = 0),
  part text,
  staged_to bigint,
  cut_at timestamptz,
  check ((part is null) = (staged_to is null))
);
comment on column ledger.entry_cut.boundary is
  'First leaf of a whole bundle after the last record of the months before. Entries are in another partition from here on.';
comment on column ledger.entry_cut.staged_to is 'Entries of the partition up to here are in its two halves.';

alter table ledger.generation add column removed_by bigint references ledger.retention;
comment on column ledger.generation.removed_by is 'The record under which its documents were removed; null = they are here.';
`;

const GUARDS = `
create function ledger.hold_stands() returns trigger language plpgsql as $$
begin
  if new.hold_id <> old.hold_id
     or (old.set_leaf is not null and (new.set_leaf, new.organisation_id, new.workspace_id, new.key_id,
           new.covers_from, new.covers_to, new.set_said::text) is distinct from (old.set_leaf, old.organisation_id,
           old.workspace_id, old.key_id, old.covers_from, old.covers_to, old.set_said::text))
     or (old.lifted_leaf is not null and (new.lifted_leaf, new.lifted_said::text)
           is distinct from (old.lifted_leaf, old.lifted_said::text)) then
    raise exception 'hold % stands as its records say', old.hold_id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger stands before update on ledger.legal_hold for each row execute function ledger.hold_stands();

do $$
declare t text;
begin
  foreach t in array array['legal_hold', 'retention', 'retention_range', 'entry_cut'] loop
    execute format('create trigger stays before delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
end $$;
create trigger append_only before update on ledger.retention
  for each statement execute function ledger.refuse_change();
`;

/** Pieces of the entries. A new one is attached, not created in place: readers and writers of the others do not wait. */
const PARTS = `
create function ledger.entry_parts() returns table (name text, first_leaf bigint, end_leaf bigint)
language sql stable set search_path = ledger, pg_temp as $$
  select c.relname::text, m[1]::bigint, m[2]::bigint
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  cross join lateral regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''(\\d+)''\\) TO \\(''(\\d+)''\\)') m
  where i.inhparent = 'ledger.entry'::regclass
  order by 2
$$;

create function ledger.make_entry_part(part text, first_leaf bigint, end_leaf bigint) returns void
language plpgsql set search_path = ledger, pg_temp as $$
begin
  execute format('create table ledger.%I
    (like ledger.entry including constraints including storage including indexes,
     constraint within check (leaf_index >= %s and leaf_index < %s)) with (toast_tuple_target = 8160)',
    part, first_leaf, end_leaf);
  -- A statement trigger of the parent does not see a statement that names the partition.
  execute format('create trigger append_only before update or delete or truncate on ledger.%I
    for each statement execute function ledger.refuse_change()', part);
end $$;

/** Its check says that it fits: nothing is read. */
create function ledger.attach_entry_part(part text, first_leaf bigint, end_leaf bigint) returns void
language plpgsql set search_path = ledger, pg_temp as $$
begin
  execute format('alter table ledger.entry attach partition ledger.%I for values from (%s) to (%s)',
    part, first_leaf, end_leaf);
  execute format('alter table ledger.%I drop constraint within', part);
end $$;

create or replace function ledger.ensure_leaf_partitions(up_to bigint) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
  leaf_span constant bigint := 4000000;
  entry_span constant bigint := 1048576;
  lower_bound bigint;
  top bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.leaf partitions', 0));
  for lower_bound in select generate_series(0, up_to, leaf_span) loop
    continue when to_regclass(format('ledger.leaf_%s', lower_bound / leaf_span)) is not null;
    execute format('create table ledger.leaf_%s partition of ledger.leaf for values from (%s) to (%s)',
      lower_bound / leaf_span, lower_bound, lower_bound + leaf_span);
    execute format('create trigger append_only before update or delete or truncate on ledger.leaf_%s
      for each statement execute function ledger.refuse_change()', lower_bound / leaf_span);
  end loop;
  select coalesce(max(p.end_leaf), 0) into top from ledger.entry_parts() p;
  while top <= up_to loop
    perform ledger.make_entry_part(format('entry_from_%s', top), top, (top / entry_span + 1) * entry_span);
    perform ledger.attach_entry_part(format('entry_from_%s', top), top, (top / entry_span + 1) * entry_span);
    top := (top / entry_span + 1) * entry_span;
  end loop;
  return least(top, (up_to / leaf_span + 1) * leaf_span);
end $$;
`;

/**
 * Two steps. Staging copies the partition into two halves while it is read and written as before; it locks nobody out, and
 * may be begun again. Then the halves take its place in one short transaction that reads only what came meanwhile.
 */
const CUT = `
create function ledger.stage_cut(p_month text) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
  turn constant timestamptz := (p_month || '-01 00:00:00+00')::timestamptz;
  grown bigint;
  boundary bigint;
  cut record;
  copied bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.entry cut', 0));
  if exists (select from ledger.entry_cut c where c.month >= p_month and c.cut_at is not null) then return null; end if;
  if turn > coalesce((select l.recorded_at from ledger.leaf l order by l.leaf_index desc limit 1), '-infinity') then
    raise exception 'the log has not come to % yet', p_month using errcode = 'check_violation';
  end if;
  select t.size into grown from ledger.tree_state t;
  select (l.leaf_index / 256 + 1) * 256 into boundary
  from ledger.leaf l where l.recorded_at < turn order by l.leaf_index desc limit 1;
  boundary := coalesce(boundary, 0);
  drop table if exists ledger.entry_low, ledger.entry_high;
  select * into cut from ledger.entry_parts() p where p.first_leaf < boundary and p.end_leaf > boundary;
  if cut.name is not null then
    perform ledger.make_entry_part('entry_low', cut.first_leaf, boundary);
    perform ledger.make_entry_part('entry_high', boundary, cut.end_leaf);
    execute format('insert into ledger.entry_low select * from ledger.%I where leaf_index < $1', cut.name)
      using least(grown, boundary);
    get diagnostics copied = row_count;
    if copied <> least(grown, boundary) - cut.first_leaf then
      raise exception 'entries are missing below %', boundary using errcode = 'data_corrupted';
    end if;
    execute format('insert into ledger.entry_high select * from ledger.%I where leaf_index >= $1 and leaf_index < $2',
      cut.name) using boundary, grown;
  end if;
  insert into ledger.entry_cut (month, boundary, part, staged_to) values (p_month, boundary, cut.name,
    case when cut.name is not null then grown end)
  on conflict (month) do update
  set boundary = excluded.boundary, part = excluded.part, staged_to = excluded.staged_to;
  return boundary;
end $$;

create function ledger.finish_cut(p_month text) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp set lock_timeout = '500ms' as $$
declare
  staged ledger.entry_cut;
  cut record;
begin
  perform from ledger.tree_state for update;
  perform pg_advisory_xact_lock(hashtextextended('ledger.leaf partitions', 0));
  select * into staged from ledger.entry_cut c where c.month = p_month;
  if staged.cut_at is not null then return staged.boundary; end if;
  if staged.part is not null then
    select * into strict cut from ledger.entry_parts() p where p.name = staged.part;
    execute format('insert into ledger.entry_low select * from ledger.%I where leaf_index >= $1 and leaf_index < $2',
      cut.name) using staged.staged_to, staged.boundary;
    execute format('insert into ledger.entry_high select * from ledger.%I where leaf_index >= $1', cut.name)
      using greatest(staged.staged_to, staged.boundary);
    execute format('alter table ledger.entry detach partition ledger.%I', cut.name);
    execute format('drop table ledger.%I', cut.name);
    perform ledger.attach_entry_part('entry_low', cut.first_leaf, staged.boundary);
    perform ledger.attach_entry_part('entry_high', staged.boundary, cut.end_leaf);
    execute format('alter table ledger.entry_low rename to %I', format('entry_from_%s', cut.first_leaf));
    execute format('alter table ledger.entry_high rename to %I', format('entry_from_%s', staged.boundary));
  end if;
  update ledger.entry_cut set cut_at = clock_timestamp() where month = p_month;
  return staged.boundary;
end $$;
`;

/** What the books do not know of a generation counts as covered. */
const HELD = `
create function ledger.covers(h ledger.legal_hold, g ledger.generation, seen timestamptz) returns boolean
language sql stable as $$
  select h.set_leaf is not null and h.lifted_leaf is null
    and (h.organisation_id is null or g.organisation_id is null or g.organisation_id = h.organisation_id)
    and (h.workspace_id is null or g.workspace_id is null or g.workspace_id = h.workspace_id)
    and (h.key_id is null or g.key_id is null or g.key_id = h.key_id)
    and (h.covers_from is null or coalesce(g.received_at, seen) >= h.covers_from)
    and (h.covers_to is null or coalesce(g.received_at, seen) < h.covers_to)
$$;

create function ledger.hold_over(first_leaf bigint, end_leaf bigint) returns text
language sql stable set search_path = ledger, pg_temp as $$
  select h.hold_id from ledger.legal_hold h
  where h.set_leaf is not null and h.lifted_leaf is null and exists (
    select from ledger.leaf l left join ledger.generation g on g.id = l.generation_id
    where l.leaf_index >= $1 and l.leaf_index < $2 and case
      when g.id is not null then ledger.covers(h, g, l.recorded_at)
      else h.organisation_id is null and h.workspace_id is null and h.key_id is null
        and (h.covers_from is null or l.recorded_at >= h.covers_from)
        and (h.covers_to is null or l.recorded_at < h.covers_to) end)
  order by h.hold_id limit 1
$$;
`;

/** No law that we know of is content with less than six months, whatever a policy or a defect of ours may say. */
const REMOVE = `
create function ledger.remove_entries(p_first bigint, p_end bigint) returns text
language plpgsql security definer set search_path = ledger, pg_temp set lock_timeout = '500ms' as $$
declare
  part text;
  said record;
  seen bigint;
begin
  select t.size into seen from ledger.tree_state t;
  -- A record of another tree, as a replay reads it, has other hashes there.
  select r.before, x.removed_at into said
  from ledger.retention_range x join ledger.retention r using (leaf_index)
  join ledger.leaf l using (leaf_index)
  join ledger.leaf a on a.leaf_index = x.first_leaf and a.leaf_hash = x.first_hash
  join ledger.leaf z on z.leaf_index = x.end_leaf - 1 and z.leaf_hash = x.last_hash
  where x.first_leaf = p_first and x.end_leaf = p_end and l.type = 'custos.retention.applied.v1'
  order by r.before desc limit 1;
  if not found then return 'not_recorded'; end if;
  select p.name into part from ledger.entry_parts() p where p.first_leaf = p_first and p.end_leaf = p_end;
  if not found then
    return case when said.removed_at is null then 'not_a_partition' else 'removed' end;
  end if;
  if said.before > clock_timestamp() - interval '6 months' or exists (
      select from ledger.leaf l
      where l.leaf_index >= p_first and l.leaf_index < p_end and l.recorded_at >= said.before) then
    return 'too_young';
  end if;
  if ledger.hold_over(p_first, p_end) is not null then return 'held'; end if;
  -- Looking took its time; from here on nothing is posted, so a hold that came meanwhile is seen.
  perform from ledger.tree_state for update;
  if exists (select from ledger.legal_hold h where h.set_leaf >= seen and h.lifted_leaf is null) then
    return 'held';
  end if;
  execute format('alter table ledger.entry detach partition ledger.%I', part);
  execute format('drop table ledger.%I', part);
  update ledger.retention_range set removed_at = clock_timestamp()
  where first_leaf = p_first and end_leaf = p_end and removed_at is null;
  return 'removed';
end $$;
`;

/** Pieces of four million leaves that nothing is in yet make room for smaller ones. */
const SMALLER_PARTS = `
do $$
declare empty text;
begin
  for empty in select p.name from ledger.entry_parts() p, ledger.tree_state t where p.first_leaf >= t.size loop
    execute format('drop table ledger.%I', empty);
  end loop;
  perform ledger.ensure_leaf_partitions(greatest(2000000, (select size + 1000000 from ledger.tree_state)));
end $$;
`;

const GRANTS = `
revoke all on function ledger.make_entry_part, ledger.attach_entry_part, ledger.stage_cut, ledger.finish_cut,
  ledger.remove_entries from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.legal_hold, ledger.retention, ledger.retention_range to custos_app;
    grant update on ledger.legal_hold to custos_app;
    grant select on ledger.entry_cut to custos_app;
    grant execute on function ledger.stage_cut, ledger.finish_cut, ledger.remove_entries to custos_app;
  end if;
end $$;
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * When a partition of the entries goes, the records in it on which others rest stay in its place: what administrators
 * changed, and the verdicts and slices of health of a writer of whose generations one is still here (ADR 26).
 */
export class CitedRecordsStay1763800002200 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SURVIVES);
    await runner.query(`create ${stayingFunction(STAY_FOR_EVER)}`);
    await runner.query(REMOVE);
    await runner.query(`revoke all on function ledger.survives, ledger.staying from public`);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/**
 * Whether a generation that the writer opened still has a record from this leaf on. Looked for from its last sign of life
 * backwards: where there is one it is mostly found at once; where there is none all of the writer's time is read.
 */
const SURVIVES = `
create function ledger.survives(p_writer text, p_end bigint, p_since timestamptz) returns boolean
language plpgsql stable set search_path = ledger, pg_temp as $$
declare
  -- A request is received before its records are said; none is decided for this long.
  slack constant interval := '1 day';
  seen timestamptz;
  leaves bigint[];
begin
  select w.last_seen_at into seen from ledger.writer_high_water w where w.writer = p_writer;
  for leaves in
    select g.leaves from ledger.generation g
    where g.received_at >= p_since - slack and g.received_at <= coalesce(seen, 'infinity') + slack and g.writer = p_writer
    order by g.received_at desc, g.id desc
  loop
    if exists (select from unnest(leaves) as x(i) join ledger.entry e on e.leaf_index = x.i where x.i >= p_end) then
      return true;
    end if;
  end loop;
  return false;
end $$;
`;

export const STAY_FOR_EVER = [
  'custos.control.changed.v1',
  'custos.pricebook.published.v1',
  'custos.policy.activated.v1',
  'custos.legal_hold.set.v1',
  'custos.legal_hold.lifted.v1',
  'custos.retention.applied.v1',
];

/** Leaves of a partition that stay when it goes. A writer who cannot be read is taken for one who lives on. */
export const stayingFunction = (types: readonly string[]): string => `
function ledger.staying(p_first bigint, p_end bigint) returns setof bigint
language sql stable set search_path = ledger, pg_temp as $$
  with cited as materialized (
    select l.leaf_index, l.recorded_at,
      substring(convert_from(substring(e.bytes from 1 for 300), 'LATIN1') from '"source":"//custos/([^"]+)"') as writer
    from ledger.leaf l join ledger.entry e using (leaf_index)
    where l.leaf_index >= p_first and l.leaf_index < p_end
      and l.type in ('custos.decision.recorded.v1', 'custos.health.recorded.v1')
  ), writers as materialized (
    select c.writer, ledger.survives(c.writer, p_end, min(c.recorded_at)) as survives
    from cited c where c.writer is not null group by c.writer
  )
  select c.leaf_index from cited c left join writers w using (writer) where w.survives is not false
  union all
  select l.leaf_index from ledger.leaf l
  where l.leaf_index >= p_first and l.leaf_index < p_end and l.type in (
    ${types.map((type) => `'${type}'`).join(', ')})
$$;
`;

/**
 * As before, but for what stays: a small partition of the same bounds. Called again for a range that is gone it looks
 * whether less may stay by now.
 */
const REMOVE = `
create or replace function ledger.remove_entries(p_first bigint, p_end bigint) returns text
language plpgsql security definer set search_path = ledger, pg_temp set lock_timeout = '500ms' as $$
declare
  part text;
  said record;
  seen bigint;
  stay bigint;
  were bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.entry removal', 0));
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
  drop table if exists ledger.entry_rest;
  perform ledger.make_entry_part('entry_rest', p_first, p_end);
  insert into ledger.entry_rest
  select e.* from ledger.staying(p_first, p_end) as s(leaf_index) join ledger.entry e using (leaf_index);
  get diagnostics stay = row_count;
  if said.removed_at is not null then
    execute format('select count(*) from ledger.%I', part) into were;
    if were = stay then
      drop table ledger.entry_rest;
      return 'removed';
    end if;
  end if;
  -- Looking took its time; from here on nothing is posted, so a hold that came meanwhile is seen.
  perform from ledger.tree_state for update;
  if exists (select from ledger.legal_hold h where h.set_leaf >= seen and h.lifted_leaf is null) then
    drop table ledger.entry_rest;
    return 'held';
  end if;
  execute format('alter table ledger.entry detach partition ledger.%I', part);
  execute format('drop table ledger.%I', part);
  if stay > 0 then
    perform ledger.attach_entry_part('entry_rest', p_first, p_end);
    execute format('alter table ledger.entry_rest rename to %I', format('entry_rest_%s', p_first));
  else
    drop table ledger.entry_rest;
  end if;
  update ledger.retention_range set removed_at = clock_timestamp()
  where first_leaf = p_first and end_leaf = p_end and removed_at is null;
  return 'removed';
end $$;
`;

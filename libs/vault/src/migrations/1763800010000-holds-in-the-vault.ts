import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Legal holds stand in the vault itself, before they are said to be in force: what destroys asks for them under a lock that
 * nobody places one past. Whatever was asked elsewhere and earlier may be out of date by the time it gets here.
 */
export class HoldsInTheVault1763800010000 implements MigrationInterface {
  readonly name = 'HoldsInTheVault1763800010000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [HOLDS, PLACE, KEEP, DESTROY, GRANTS]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('a vault that destroyed nothing under a hold goes on like that');
  }
}

const HOLDS = `
create table vault.hold (
  id text primary key,
  ledger_id text not null,
  organisation_id text,
  workspace_id text,
  key_id text,
  covers_from timestamptz,
  covers_to timestamptz,
  placed_at timestamptz not null default clock_timestamp(),
  lifted_at timestamptz
);
create index hold_in_force on vault.hold (id) where lifted_at is null;
comment on table vault.hold is 'Legal holds as control knows them. Lifted once, lifted for ever.';

create function vault.hold_stands() returns trigger language plpgsql as $$
begin
  if old.lifted_at is not null or (to_jsonb(new) - 'lifted_at') <> (to_jsonb(old) - 'lifted_at') then
    raise exception 'hold % stands as it was placed', old.id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger stands before update on vault.hold for each row execute function vault.hold_stands();

create function vault.hold_stays() returns trigger language plpgsql as $$
begin
  raise exception 'holds stay' using errcode = 'check_violation';
end $$;
create trigger stays before delete or truncate on vault.hold for each statement execute function vault.hold_stays();
`;

/** Placing waits for what destroys at this moment, and the next one sees it: \`insert\` and \`lock … in share mode\` exclude each other. */
const PLACE = `
create function vault.place_holds(p_holds jsonb) returns void
language sql security definer set search_path = vault, pg_temp as $$
  insert into vault.hold (id, ledger_id, organisation_id, workspace_id, key_id, covers_from, covers_to)
  select h ->> 'id', h ->> 'ledgerId', h ->> 'organisationId', h ->> 'workspaceId', h ->> 'keyId',
    (h ->> 'from')::timestamptz, (h ->> 'to')::timestamptz
  from jsonb_array_elements(p_holds) h
  on conflict (id) do nothing
$$;

create function vault.lift_holds(p_ids text[]) returns void
language sql security definer set search_path = vault, pg_temp as $$
  update vault.hold set lifted_at = clock_timestamp() where id = any(p_ids) and lifted_at is null
$$;

create function vault.covers(h vault.hold, p_ledger text, p_organisation text, p_workspace text, p_key text, p_received timestamptz)
returns boolean language sql immutable as $$
  select h.lifted_at is null and h.ledger_id = p_ledger
    and (h.organisation_id is null or h.organisation_id = p_organisation)
    and (h.workspace_id is null or h.workspace_id = p_workspace)
    and (h.key_id is null or h.key_id = p_key)
    and (h.covers_from is null or p_received >= h.covers_from)
    and (h.covers_to is null or p_received < h.covers_to)
$$;

create function vault.hold_over(p_id text, p_ledger text) returns text
language sql stable set search_path = vault, pg_temp as $$
  select h.id from vault.hold h, vault.subject_key k
  where k.id = p_id and k.destroyed_at is null and h.lifted_at is null
    -- A subject may have a million items: they are read for holds that may be about them alone.
    and (h.organisation_id is null or h.organisation_id = k.organisation_id) and (
    exists (select from vault.item i where i.subject_key_id = k.id
      and vault.covers(h, i.ledger_id, i.organisation_id, i.workspace_id, i.key_id, i.received_at))
    -- What is on its way to the store at this moment is of nobody's workspace or key yet.
    or (h.workspace_id is null and h.key_id is null
      and vault.covers(h, p_ledger, k.organisation_id, null, null, clock_timestamp())))
  order by h.id limit 1
$$;
comment on function vault.hold_over is 'The hold that keeps anything of that subject, or that would keep what is on its way to it.';
`;

/** As before, but that what a hold covers outlives an erasure that ran ahead of it: it is kept, under the subject's next key. */
const KEEP = `
create or replace function vault.keep(
  p_generation text, p_organisation text, p_workspace text, p_key text, p_ledger text, p_subject_key text,
  p_received timestamptz, p_expires timestamptz,
  p_request bytea, p_request_digest bytea, p_request_bytes integer,
  p_response bytea, p_response_digest bytea, p_response_bytes integer) returns text
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  of_subject vault.subject_key;
  held boolean;
begin
  select * into of_subject from vault.subject_key where id = p_subject_key for share;
  if not found or of_subject.organisation_id <> p_organisation then return 'unknown'; end if;
  held := exists (select from vault.hold h
    where vault.covers(h, p_ledger, p_organisation, p_workspace, p_key, p_received));
  -- What came before an erasure goes with it, if its stream ends after; clocks may differ by some seconds.
  if of_subject.destroyed_at is not null then
    return case when of_subject.cause = 'erased' and p_received <= of_subject.destroyed_at + interval '5 seconds' and not held
      then 'erased' else 'outdated' end;
  end if;
  if not held and exists (select from vault.erased e
      where e.organisation_id = p_organisation and e.pseudonym = of_subject.pseudonym
        and p_received <= e.erased_at + interval '5 seconds') then
    return 'erased';
  end if;
  insert into vault.item (generation_id, part, organisation_id, workspace_id, key_id, ledger_id, subject_key_id,
    received_at, expires_at, bytes, digest, sealed)
  select p_generation, i.part, p_organisation, p_workspace, p_key, p_ledger, p_subject_key, p_received, p_expires,
    i.bytes, i.digest, i.sealed
  from (values ('request', p_request_bytes, p_request_digest, p_request),
               ('response', p_response_bytes, p_response_digest, p_response)) as i (part, bytes, digest, sealed)
  where i.sealed is not null
  on conflict do nothing;
  -- Repeated after an answer that got lost it finds what it stored.
  if exists (select from vault.item i where i.generation_id = p_generation
      and i.digest <> case i.part when 'request' then p_request_digest else p_response_digest end) then
    return 'conflict';
  end if;
  return 'kept';
end $$;
`;

/** A transaction with one snapshot for all its statements would not see what was placed while it waited: refused. */
const DESTROY = `
create function vault.exclude_holds() returns void
language plpgsql set search_path = vault, pg_temp as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'what destroys must see what was placed while it waited';
  end if;
  lock table vault.hold in share mode;
end $$;

drop function vault.erase_key(text, text);
create function vault.erase_key(p_id text, p_erasure text, p_ledger text) returns table (outcome text, hold_id text)
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  keeping text;
begin
  if p_erasure is null or p_ledger is null then raise exception 'an erasure has an id and a ledger'; end if;
  perform vault.exclude_holds();
  -- The lock first: an item that is being stored under it is seen then.
  perform from vault.subject_key where id = p_id for update;
  keeping := vault.hold_over(p_id, p_ledger);
  if keeping is not null then return query select 'held', keeping; return; end if;
  insert into vault.erased as e (organisation_id, pseudonym, erased_at)
  select organisation_id, pseudonym, clock_timestamp() from vault.subject_key where id = p_id and destroyed_at is null
  on conflict (organisation_id, pseudonym) do update set erased_at = excluded.erased_at;
  update vault.subject_key
  set wrapped = null, pseudonym = null, destroyed_at = clock_timestamp(), cause = 'erased', erasure_id = p_erasure
  where id = p_id and destroyed_at is null;
  return query select case when found then 'erased' else 'gone' end, null::text;
end $$;

drop function vault.expire_items(text, timestamptz, jsonb, integer);
create function vault.expire_items(p_organisation text, p_before timestamptz, p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  gone integer;
begin
  if p_before > clock_timestamp() then raise exception 'not before its time'; end if;
  perform vault.exclude_holds();
  delete from vault.item i using (
    select x.generation_id, x.part from vault.item x
    where x.organisation_id = p_organisation and x.expires_at < p_before and not exists (select from vault.hold h
      where vault.covers(h, x.ledger_id, x.organisation_id, x.workspace_id, x.key_id, x.received_at))
    order by x.expires_at limit p_max) as old
  where i.generation_id = old.generation_id and i.part = old.part;
  get diagnostics gone = row_count;
  return gone;
end $$;

drop function vault.held(jsonb, vault.item);
`;

const GRANTS = `
revoke all on function vault.place_holds, vault.lift_holds, vault.covers, vault.hold_over, vault.exclude_holds,
  vault.erase_key, vault.expire_items, vault.hold_stands, vault.hold_stays from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select on vault.hold to custos_app;
    grant execute on function vault.place_holds, vault.lift_holds, vault.covers, vault.hold_over, vault.erase_key,
      vault.expire_items to custos_app;
  end if;
end $$;
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The content vault: ciphertext, and the keys that open it, each wrapped under a master key that is in no database. The data
 * plane may only add, by functions, and reads nothing back; who keeps the vault reads, and destroys by functions that look
 * for themselves whether they may. Nothing here is changed or deleted in any other way, and what is destroyed stays so.
 */
export class Vault1763800001200 implements MigrationInterface {
  readonly name = 'Vault1763800001200';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(GUARDS);
    await runner.query(ADD);
    await runner.query(DESTROY);
    await runner.query(EXPIRE);
    await runner.query(GRANTS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema vault cascade');
  }
}

/** Vacuum follows at once on what is destroyed: until then the old version of the row is in the table's file. */
const TABLES = `
create schema if not exists vault;
revoke all on schema vault from public;

create table vault.identity (
  id boolean primary key default true check (id),
  wrapped_secret bytea not null,
  created_at timestamptz not null default clock_timestamp()
);
comment on table vault.identity is 'What makes pseudonyms of subjects, wrapped under the master key.';

create table vault.subject_key (
  id text primary key,
  organisation_id text not null,
  pseudonym bytea check (octet_length(pseudonym) = 32),
  wrapped bytea,
  created_at timestamptz not null default clock_timestamp(),
  destroyed_at timestamptz,
  cause text check (cause in ('erased', 'expired')),
  erasure_id text,
  check (num_nulls(pseudonym, wrapped) in (0, 2)),
  check ((wrapped is null) = (destroyed_at is not null)),
  check ((destroyed_at is null) = (cause is null)),
  check ((erasure_id is not null) = (cause is not distinct from 'erased'))
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
create unique index subject_key_in_use on vault.subject_key (organisation_id, pseudonym) where destroyed_at is null;
create index subject_key_destroyed on vault.subject_key (destroyed_at) where destroyed_at is not null;
comment on column vault.subject_key.pseudonym is 'Keyed digest of the subject. Goes with the key, so that its id names nobody any more.';

create table vault.erased (
  organisation_id text not null,
  pseudonym bytea not null,
  erased_at timestamptz not null,
  primary key (organisation_id, pseudonym)
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
comment on table vault.erased is 'For a day: that what came before and is still on its way is not kept under a new key.';

create table vault.item (
  generation_id text not null,
  part text not null check (part in ('request', 'response')),
  organisation_id text not null,
  workspace_id text not null,
  key_id text not null,
  ledger_id text not null,
  subject_key_id text not null references vault.subject_key,
  received_at timestamptz not null,
  kept_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  bytes integer not null check (bytes >= 0),
  digest bytea not null,
  sealed bytea,
  recorded_at timestamptz,
  recorded_in text,
  primary key (generation_id, part),
  check (sealed is null or sha256(sealed) = digest),
  check ((recorded_at is null) = (recorded_in is null))
);
alter table vault.item alter column sealed set storage external;
create index item_of_key on vault.item (subject_key_id);
create index item_of_key_there on vault.item (subject_key_id) where sealed is not null;
create index item_expires on vault.item (organisation_id, expires_at);
create index item_unrecorded on vault.item (kept_at) where recorded_at is null;
comment on column vault.item.sealed is 'Nonce, ciphertext, tag. Null once its key was erased and it was cleared away.';
comment on column vault.item.recorded_in is 'Place of the record in the log that says it is kept. Before, nobody reads it.';
`;

const GUARDS = `
create function vault.key_stays_destroyed() returns trigger language plpgsql as $$
begin
  if old.destroyed_at is not null then
    raise exception 'key % is destroyed', old.id using errcode = 'check_violation';
  end if;
  if (new.id, new.organisation_id, new.created_at) is distinct from (old.id, old.organisation_id, old.created_at)
    or (new.destroyed_at is null and (new.wrapped, new.pseudonym) is distinct from (old.wrapped, old.pseudonym)) then
    raise exception 'key % stands as it was made', old.id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger stays before update on vault.subject_key for each row execute function vault.key_stays_destroyed();

create function vault.item_stands() returns trigger language plpgsql as $$
begin
  if (new.sealed is not null and new.sealed is distinct from old.sealed)
    or (old.recorded_at is not null and (new.recorded_at, new.recorded_in) is distinct from (old.recorded_at, old.recorded_in))
    or (new.generation_id, new.part, new.organisation_id, new.workspace_id, new.key_id, new.ledger_id,
        new.subject_key_id, new.received_at, new.kept_at, new.expires_at, new.bytes, new.digest)
      is distinct from (old.generation_id, old.part, old.organisation_id, old.workspace_id, old.key_id, old.ledger_id,
        old.subject_key_id, old.received_at, old.kept_at, old.expires_at, old.bytes, old.digest) then
    raise exception 'item % stands as it was kept', old.generation_id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger stands before update on vault.item for each row execute function vault.item_stands();
`;

/** \`keep\` locks the key that it stores under: whoever destroys it comes before or after, never between. */
const ADD = `
create function vault.claim_identity(p_wrapped bytea) returns bytea
language plpgsql security definer set search_path = vault, pg_temp as $$
begin
  insert into vault.identity (wrapped_secret) values (p_wrapped) on conflict do nothing;
  return (select wrapped_secret from vault.identity);
end $$;

create function vault.key_of(p_organisation text, p_pseudonym bytea, p_id text, p_wrapped bytea)
returns table (key_id text, key_wrapped bytea)
language plpgsql security definer set search_path = vault, pg_temp as $$
begin
  for attempt in 1..5 loop
    return query select k.id, k.wrapped from vault.subject_key k
      where k.organisation_id = p_organisation and k.pseudonym = p_pseudonym and k.destroyed_at is null;
    if found then return; end if;
    insert into vault.subject_key (id, organisation_id, pseudonym, wrapped)
    values (p_id, p_organisation, p_pseudonym, p_wrapped) on conflict do nothing;
  end loop;
  raise exception 'the key is made and destroyed at once, again and again';
end $$;

create function vault.keep(
  p_generation text, p_organisation text, p_workspace text, p_key text, p_ledger text, p_subject_key text,
  p_received timestamptz, p_expires timestamptz,
  p_request bytea, p_request_digest bytea, p_request_bytes integer,
  p_response bytea, p_response_digest bytea, p_response_bytes integer) returns text
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  of_subject vault.subject_key;
begin
  select * into of_subject from vault.subject_key where id = p_subject_key for share;
  if not found or of_subject.organisation_id <> p_organisation then return 'unknown'; end if;
  -- What came before an erasure goes with it, if its stream ends after; clocks may differ by some seconds.
  if of_subject.destroyed_at is not null then
    return case when of_subject.cause = 'erased' and p_received <= of_subject.destroyed_at + interval '5 seconds'
      then 'erased' else 'outdated' end;
  end if;
  if exists (select from vault.erased e
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

create function vault.mark_recorded(p_generations text[], p_places text[]) returns void
language sql security definer set search_path = vault, pg_temp as $$
  update vault.item i set recorded_at = clock_timestamp(), recorded_in = r.place
  from unnest(p_generations, p_places) as r (generation_id, place)
  where i.generation_id = r.generation_id and i.recorded_at is null
$$;
`;

/** Scopes as a hold's record says them; a hold without one of its members covers whatever is there. */
const DESTROY = `
create function vault.held(p_holds jsonb, i vault.item) returns text
language sql stable set search_path = vault, pg_temp as $$
  select h ->> 'id' from jsonb_array_elements(p_holds) h
  where h ->> 'ledgerId' = i.ledger_id
    and (h ->> 'organisationId' is null or h ->> 'organisationId' = i.organisation_id)
    and (h ->> 'workspaceId' is null or h ->> 'workspaceId' = i.workspace_id)
    and (h ->> 'keyId' is null or h ->> 'keyId' = i.key_id)
    and (h ->> 'from' is null or i.received_at >= (h ->> 'from')::timestamptz)
    and (h ->> 'to' is null or i.received_at < (h ->> 'to')::timestamptz)
  order by h ->> 'id' limit 1
$$;

create function vault.erase_key(p_id text, p_erasure text) returns boolean
language plpgsql security definer set search_path = vault, pg_temp as $$
begin
  if p_erasure is null then raise exception 'an erasure has an id'; end if;
  perform from vault.subject_key where id = p_id for update;
  insert into vault.erased as e (organisation_id, pseudonym, erased_at)
  select organisation_id, pseudonym, clock_timestamp() from vault.subject_key where id = p_id and destroyed_at is null
  on conflict (organisation_id, pseudonym) do update set erased_at = excluded.erased_at;
  update vault.subject_key
  set wrapped = null, pseudonym = null, destroyed_at = clock_timestamp(), cause = 'erased', erasure_id = p_erasure
  where id = p_id and destroyed_at is null;
  return found;
end $$;

create function vault.clear_erased(p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  cleared integer;
begin
  update vault.item i set sealed = null from (
    select x.generation_id, x.part from vault.subject_key k join vault.item x on x.subject_key_id = k.id
    where k.cause = 'erased' and x.sealed is not null limit p_max) as gone
  where i.generation_id = gone.generation_id and i.part = gone.part;
  get diagnostics cleared = row_count;
  return cleared;
end $$;
`;

/** A key that was used an hour ago may be in an ingress's memory: only one a day old is taken for unused. */
const EXPIRE = `
create function vault.expire_items(p_organisation text, p_before timestamptz, p_holds jsonb, p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  gone integer;
begin
  if p_before > clock_timestamp() then raise exception 'not before its time'; end if;
  delete from vault.item i using (
    select x.generation_id, x.part from vault.item x
    where x.organisation_id = p_organisation and x.expires_at < p_before and vault.held(p_holds, x) is null
    order by x.expires_at limit p_max) as old
  where i.generation_id = old.generation_id and i.part = old.part;
  get diagnostics gone = row_count;
  return gone;
end $$;

create function vault.expire_keys(p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  unused text;
  gone integer := 0;
begin
  for unused in
    select k.id from vault.subject_key k
    where k.destroyed_at is null and k.created_at < clock_timestamp() - interval '1 day'
      and not exists (select from vault.item i where i.subject_key_id = k.id)
    limit p_max
  loop
    -- The lock first: an item that is being stored under it is seen then.
    perform from vault.subject_key k where k.id = unused and k.destroyed_at is null for update;
    if found and not exists (select from vault.item i where i.subject_key_id = unused) then
      update vault.subject_key
      set wrapped = null, pseudonym = null, destroyed_at = clock_timestamp(), cause = 'expired' where id = unused;
      gone := gone + 1;
    end if;
  end loop;
  return gone;
end $$;

create function vault.forget_keys(p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  gone integer;
begin
  delete from vault.subject_key k using (
    select x.id from vault.subject_key x
    where x.destroyed_at < clock_timestamp() - interval '1 day'
      and not exists (select from vault.item i where i.subject_key_id = x.id)
    limit p_max) as old
  where k.id = old.id;
  get diagnostics gone = row_count;
  delete from vault.erased where erased_at < clock_timestamp() - interval '1 day';
  return gone;
end $$;
`;

const GRANTS = `
revoke all on all functions in schema vault from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_audit') then
    grant usage on schema vault to custos_audit;
    grant execute on function vault.claim_identity, vault.key_of, vault.keep, vault.mark_recorded to custos_audit;
  end if;
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant usage on schema vault to custos_app;
    grant select on vault.identity, vault.subject_key, vault.item to custos_app;
    grant execute on function vault.claim_identity, vault.mark_recorded, vault.held, vault.erase_key,
      vault.clear_erased, vault.expire_items, vault.expire_keys, vault.forget_keys to custos_app;
  end if;
end $$;
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A data key may be wrapped anew, under another master key: in the place of the wrap that was there, by who has both. What
 * is destroyed meanwhile stays destroyed, and nobody turns back to a master key that was rotated away from.
 */
export class MasterKeyRotation1763800010100 implements MigrationInterface {
  readonly name = 'MasterKeyRotation1763800010100';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [NAMES, ROTATIONS, REWRAP, GRANTS]) await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('what is wrapped under a named key is not unnamed again');
  }
}

/** A wrap is a version byte, the id of its master key (8 bytes), and 72 bytes; those of before are the 72 alone, unnamed. */
const NAMES = `
create function vault.wrapped_under(p_wrapped bytea) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
  select case when octet_length(p_wrapped) = 81 and get_byte(p_wrapped, 0) = 1
    then encode(substring(p_wrapped from 2 for 8), 'hex') else '' end
$$;
create index subject_key_wrapped_under on vault.subject_key (vault.wrapped_under(wrapped)) where wrapped is not null;

create or replace function vault.key_stays_destroyed() returns trigger language plpgsql as $$
begin
  if old.destroyed_at is not null then
    raise exception 'key % is destroyed', old.id using errcode = 'check_violation';
  end if;
  if (new.id, new.organisation_id, new.created_at) is distinct from (old.id, old.organisation_id, old.created_at)
    or (new.destroyed_at is null and new.pseudonym is distinct from old.pseudonym)
    or (new.destroyed_at is null and new.wrapped is distinct from old.wrapped
        and (vault.wrapped_under(new.wrapped) = '' or vault.wrapped_under(new.wrapped) = vault.wrapped_under(old.wrapped))) then
    raise exception 'key % stands as it was made', old.id using errcode = 'check_violation';
  end if;
  return new;
end $$;
`;

const ROTATIONS = `
create table vault.rotation (
  seq bigint generated always as identity unique,
  key_id text primary key check (key_id ~ '^[0-9a-f]{16}$'),
  rotation_id text unique,
  from_keys text[] not null default '{}',
  began_at timestamptz not null default clock_timestamp(),
  began_recorded boolean not null default false,
  ended_at timestamptz,
  ended_recorded boolean not null default false
);
comment on table vault.rotation is 'Master keys in the order of their use. The newest wraps; the ones before were rotated away from.';

-- Answers the rotation to that key where it is the one to be worked on; null where the key was rotated away from.
create function vault.begin_rotation(p_from text[], p_to text, p_rotation text) returns vault.rotation
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  newest vault.rotation;
begin
  lock table vault.rotation in share row exclusive mode;
  select * into newest from vault.rotation order by seq desc limit 1;
  if newest.key_id = p_to then return newest; end if;
  if exists (select from vault.rotation where key_id = p_to) then return null; end if;
  insert into vault.rotation (key_id, ended_at)
  select f, clock_timestamp() from unnest(p_from) f where f <> p_to on conflict do nothing;
  insert into vault.rotation (key_id, rotation_id, from_keys) values (p_to, p_rotation, p_from) returning * into newest;
  return newest;
end $$;

create function vault.note_rotation(p_key text, p_what text) returns void
language plpgsql security definer set search_path = vault, pg_temp as $$
begin
  update vault.rotation set
    began_recorded = began_recorded or p_what = 'began_recorded',
    ended_at = case when p_what = 'ended' then coalesce(ended_at, clock_timestamp()) else ended_at end,
    ended_recorded = ended_recorded or p_what = 'ended_recorded'
  where key_id = p_key;
end $$;
`;

/**
 * In the place of the very wrap that was read: a key that was destroyed or wrapped by another meanwhile is not touched. And
 * under the newest key alone: a process that began with an earlier one goes on to no effect.
 */
const REWRAP = `
create function vault.newest_key() returns text
language sql stable set search_path = vault, pg_temp as $$
  select key_id from vault.rotation order by seq desc limit 1
$$;

create function vault.rewrap_keys(p_ids text[], p_old bytea[], p_new bytea[]) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  done integer;
begin
  update vault.subject_key k set wrapped = w.new
  from unnest(p_ids, p_old, p_new) as w (id, old, new)
  where k.id = w.id and k.destroyed_at is null and k.wrapped = w.old
    and vault.wrapped_under(w.new) = vault.newest_key();
  get diagnostics done = row_count;
  return done;
end $$;

create function vault.rewrap_identity(p_old bytea, p_new bytea) returns void
language sql security definer set search_path = vault, pg_temp as $$
  update vault.identity set wrapped_secret = p_new
  where wrapped_secret = p_old and vault.wrapped_under(p_new) = vault.newest_key()
$$;
`;

const GRANTS = `
revoke all on function vault.wrapped_under, vault.begin_rotation, vault.note_rotation, vault.newest_key,
  vault.rewrap_keys, vault.rewrap_identity from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select on vault.rotation to custos_app;
    grant execute on function vault.wrapped_under, vault.begin_rotation, vault.note_rotation, vault.rewrap_keys,
      vault.rewrap_identity to custos_app;
  end if;
end $$;
`;

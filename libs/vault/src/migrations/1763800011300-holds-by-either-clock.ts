import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A hold of a time covers an item that was received in it by the gateway's clock or stored in it by the vault's. By the gateway's alone,
 * one that was an hour off let content go that the hold was set for.
 */
export class VaultHoldsByEitherClock1763800011300 implements MigrationInterface {
  readonly name = 'VaultHoldsByEitherClock1763800011300';

  async up(runner: QueryRunner): Promise<void> {
    // Beside the one by `received_at`: a hold is looked for by either, and never in all items of a subject.
    await runner.query(
      `create index item_of_subject_kept on vault.item (subject_key_id, ledger_id, workspace_id, key_id, kept_at)`,
    );
    for (const statement of [COVERS_ITEM, HOLD_OVER, KEEP, EXPIRE, GRANTS])
      await runner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('a vault that keeps what a hold is about goes on like that');
  }
}

const COVERS_ITEM = `
create function vault.covers_item(h vault.hold, i vault.item) returns boolean
language sql immutable as $$
  select vault.covers(h, i.ledger_id, i.organisation_id, i.workspace_id, i.key_id, i.received_at)
    or vault.covers(h, i.ledger_id, i.organisation_id, i.workspace_id, i.key_id, i.kept_at)
$$;
`;

/** As before, but by either time. */
const HOLD_OVER = `
create or replace function vault.hold_over(p_id text, p_ledger text) returns text
language sql stable set search_path = vault, pg_temp as $$
  with recursive places as (
    (select i.ledger_id, i.workspace_id, i.key_id from vault.item i
     where i.subject_key_id = p_id order by i.ledger_id, i.workspace_id, i.key_id limit 1)
    union all
    select n.* from places p, lateral (
      select i.ledger_id, i.workspace_id, i.key_id from vault.item i
      where i.subject_key_id = p_id and (i.ledger_id, i.workspace_id, i.key_id) > (p.ledger_id, p.workspace_id, p.key_id)
      order by i.ledger_id, i.workspace_id, i.key_id limit 1) n
  )
  select h.id from vault.hold h, vault.subject_key k
  where k.id = p_id and k.destroyed_at is null and h.lifted_at is null
    and (h.organisation_id is null or h.organisation_id = k.organisation_id) and (
    exists (select from places p
      where p.ledger_id = h.ledger_id
        and (h.workspace_id is null or h.workspace_id = p.workspace_id)
        and (h.key_id is null or h.key_id = p.key_id)
        and (exists (select from vault.item i
            where i.subject_key_id = p_id and i.ledger_id = p.ledger_id and i.workspace_id = p.workspace_id and i.key_id = p.key_id
              and i.received_at >= coalesce(h.covers_from, '-infinity') and i.received_at < coalesce(h.covers_to, 'infinity'))
          or exists (select from vault.item i
            where i.subject_key_id = p_id and i.ledger_id = p.ledger_id and i.workspace_id = p.workspace_id and i.key_id = p.key_id
              and i.kept_at >= coalesce(h.covers_from, '-infinity') and i.kept_at < coalesce(h.covers_to, 'infinity'))))
    -- What is on its way to the store at this moment is of nobody's workspace or key yet.
    or (h.workspace_id is null and h.key_id is null
      and vault.covers(h, p_ledger, k.organisation_id, null, null, clock_timestamp())))
  order by h.id limit 1
$$;
`;

/** As before, but that what comes while a hold covers now is held. */
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
    where vault.covers(h, p_ledger, p_organisation, p_workspace, p_key, p_received)
      or vault.covers(h, p_ledger, p_organisation, p_workspace, p_key, clock_timestamp()));
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

/** As before, but by either time. */
const EXPIRE = `
create or replace function vault.expire_items(p_organisation text, p_before timestamptz, p_max integer) returns integer
language plpgsql security definer set search_path = vault, pg_temp as $$
declare
  gone integer;
begin
  if p_before > clock_timestamp() then raise exception 'not before its time'; end if;
  perform vault.exclude_holds();
  delete from vault.item i using (
    select x.generation_id, x.part from vault.item x
    where x.organisation_id = p_organisation and x.expires_at < p_before and not exists (select from vault.hold h
      where vault.covers_item(h, x))
    order by x.expires_at limit p_max) as old
  where i.generation_id = old.generation_id and i.part = old.part;
  get diagnostics gone = row_count;
  return gone;
end $$;
`;

const GRANTS = `
revoke all on function vault.covers_item from public;
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant execute on function vault.covers_item to custos_app;
  end if;
end $$;
`;

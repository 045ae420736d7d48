import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An erasure destroys what was on its way, too: also what would come under the key that its subject has next. */
export class ErasedMeanwhile1763800001900 implements MigrationInterface {
  readonly name = 'ErasedMeanwhile1763800001900';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ADD);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/**
 * \`keep\` locks the key that it stores under: whoever destroys it comes before or after, never between. Of a key younger
 * than the content nobody can say whether its subject had one before: the name goes with a destroyed key. So where the
 * organisation has had an erasure since the content was received, it is taken for erased.
 */
const ADD = `
create or replace function vault.keep(
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
  if of_subject.destroyed_at is not null then return of_subject.cause; end if;
  if of_subject.created_at >= p_received
    and not exists (select from vault.item i where i.generation_id = p_generation)
    and exists (select from vault.subject_key k
      where k.destroyed_at >= p_received and k.cause = 'erased' and k.organisation_id = p_organisation) then
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

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whether a hold keeps anything of a subject is asked once for each ledger, workspace and key that its items are of, by an
 * index: while it is asked nobody places a hold, so that it must not take longer the more there are.
 */
export class HoldsOverManyItems1763800010300 implements MigrationInterface {
  readonly name = 'HoldsOverManyItems1763800010300';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index item_of_subject on vault.item (subject_key_id, ledger_id, workspace_id, key_id, received_at)`,
    );
    // Its column is the first of the new one.
    await runner.query('drop index vault.item_of_key');
    await runner.query(HOLD_OVER);
  }

  async down(): Promise<void> {
    throw new Error('a vault that asks by an index goes on like that');
  }
}

/** Answers as before. What an item is of besides its time is found by steps from one to the next in the index. */
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
        and exists (select from vault.item i
          where i.subject_key_id = p_id and i.ledger_id = p.ledger_id and i.workspace_id = p.workspace_id and i.key_id = p.key_id
            and i.received_at >= coalesce(h.covers_from, '-infinity') and i.received_at < coalesce(h.covers_to, 'infinity')))
    -- What is on its way to the store at this moment is of nobody's workspace or key yet.
    or (h.workspace_id is null and h.key_id is null
      and vault.covers(h, p_ledger, k.organisation_id, null, null, clock_timestamp())))
  order by h.id limit 1
$$;
`;

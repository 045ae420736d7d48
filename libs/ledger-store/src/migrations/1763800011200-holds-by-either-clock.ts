import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A hold of a time covers what was received in it by the gateway's clock or recorded in it by the log's. By the gateway's alone, one that
 * was an hour off let records go that the hold was set for.
 */
export class HoldsByEitherClock1763800011200 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COVERS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** What the books do not know of a generation counts as covered. `seen`: when the log recorded what is asked about. */
const COVERS = `
create or replace function ledger.covers(h ledger.legal_hold, g ledger.generation, seen timestamptz) returns boolean
language sql stable as $$
  select h.set_leaf is not null and h.lifted_leaf is null
    and (h.organisation_id is null or g.organisation_id is null or g.organisation_id = h.organisation_id)
    and (h.workspace_id is null or g.workspace_id is null or g.workspace_id = h.workspace_id)
    and (h.key_id is null or g.key_id is null or g.key_id = h.key_id)
    and ((h.covers_from is null or seen >= h.covers_from) and (h.covers_to is null or seen < h.covers_to)
      or (h.covers_from is null or g.received_at >= h.covers_from) and (h.covers_to is null or g.received_at < h.covers_to)
        and g.received_at is not null)
$$;
`;

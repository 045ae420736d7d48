import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What auditors filter by, beside the documents that say it: why a request was refused, which policies its record
 * cites, where its attempts went. Written with the row; none of it is evidence, the records are.
 */
export class AuditorFilters1763700009000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COLUMNS);
    await runner.query(OLDER_ROWS);
    await runner.query(INDEXES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table ledger.generation
      drop column refusal_code, drop column policies, drop column destinations`);
  }
}

const COLUMNS = `
alter table ledger.generation
  add column refusal_code text,
  add column policies text[] not null default '{}',
  add column destinations text[] not null default '{}';
comment on column ledger.generation.policies is 'Ids of the policies that its record gives as reasons.';
comment on column ledger.generation.destinations is 'provider/region of every attempt that was authorised.';
`;

const OLDER_ROWS = `
update ledger.generation g set
  refusal_code = g.refused->'data'->>'code',
  policies = array(
    select distinct r->>'id'
    from json_array_elements(coalesce(g.opened, g.refused)->'data'->'decision'->'reasons') r),
  destinations = array(
    select distinct (a->>'provider') || '/' || (a->>'region')
    from json_array_elements(g.state->'attempts') a);
`;

/** Most generations cite the one policy that permits: only what was refused is worth an index by policy. */
const INDEXES = `
create index generation_refusal on ledger.generation (refusal_code, received_at, id) where refusal_code is not null;
create index generation_refused_by on ledger.generation using gin (policies) where refusal_code is not null;
create index generation_model on ledger.generation (model, received_at, id);
create index generation_provider on ledger.generation (provider, received_at, id);
`;

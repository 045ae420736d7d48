import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Heads that our key signed and the tree did not contain when they were found, and the records by which persons give such a
 * head up. What was found outlives the process that found it; only records of two persons let the log go on.
 */
export class GivenUpHeads1763800003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TABLES);
    await runner.query(RULES);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const TABLES = `
create table ledger.missing_head (
  ledger_id text not null references ledger.log_identity,
  size bigint not null check (size > 0),
  root bytea not null check (octet_length(root) = 32),
  note text not null,
  held_by text not null,
  found_at timestamptz not null default clock_timestamp(),
  primary key (ledger_id, size, root)
);
comment on table ledger.missing_head is
  'Checkpoints under our own signature that the tree did not contain when they were found. It may have grown to them since.';

create table ledger.head_given_up (
  leaf_index bigint primary key references ledger.leaf,
  at timestamptz not null,
  origin text not null,
  size bigint not null,
  root bytea not null,
  author text not null,
  role text not null,
  reason text not null
);
create index head_given_up_head on ledger.head_given_up (size, root);
comment on table ledger.head_given_up is 'Records: the log goes on without this head once an admin and an approver say so.';

create function ledger.is_given_up(p_origin text, p_size bigint, p_root bytea) returns boolean
language sql stable as $$
  select exists (
    select from ledger.head_given_up a join ledger.head_given_up b using (origin, size, root)
    where origin = p_origin and size = p_size and root = p_root
      and a.role = 'admin' and b.role = 'approver' and a.author <> b.author)
$$;
`;

const RULES = `
do $$
declare t text;
begin
  foreach t in array array['missing_head', 'head_given_up'] loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
end $$;
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.missing_head, ledger.head_given_up to custos_app;
  end if;
end $$;
`;

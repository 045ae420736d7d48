import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The tree beside the books: the exact bytes of every leaf, hashes of complete subtrees, checkpoints and who signed
 * them. Everything here is only ever added to; the frontier stands in `ledger.tree_state`.
 */
export class TransparencyTables1763700003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TREE);
    await runner.query(CHECKPOINTS);
    await runner.query(RULES);
    await runner.query(PARTITIONS);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** Level-0 hashes are `ledger.leaf.leaf_hash`; node (level, i) is the root of leaves i·256^level to (i+1)·256^level. */
const TREE = `
create table ledger.entry (
  leaf_index bigint primary key,
  bytes bytea storage external not null check (octet_length(bytes) <= 65535)
) partition by range (leaf_index);
comment on table ledger.entry is
  'The exact bytes of every leaf: the archive of the log, whatever retention the log itself has.';

create table ledger.node (
  level smallint not null check (level between 1 and 7),
  node_index bigint not null check (node_index >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  primary key (level, node_index)
);
create index journal_leaf on ledger.journal (leaf_index);
`;

/**
 * A checkpoint's body is committed before it is signed, its note after: a crash between leaves a body to be signed again,
 * and Ed25519 gives the same signature. The primary key makes two roots for one size impossible.
 */
const CHECKPOINTS = `
create table ledger.log_identity (
  ledger_id text primary key references ledger.tree_state,
  origin text not null,
  verifier_key text not null,
  created_at timestamptz not null default clock_timestamp()
);

create table ledger.checkpoint (
  ledger_id text not null references ledger.log_identity,
  size bigint not null check (size > 0),
  root bytea not null check (octet_length(root) = 32),
  body text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (ledger_id, size)
);

create table ledger.checkpoint_note (
  ledger_id text not null,
  size bigint not null,
  note text not null,
  published_at timestamptz not null default clock_timestamp(),
  primary key (ledger_id, size),
  foreign key (ledger_id, size) references ledger.checkpoint
);
comment on column ledger.checkpoint_note.note is 'The body with the signature of the log alone.';

create table ledger.cosignature (
  ledger_id text not null,
  size bigint not null,
  name text not null,
  line text not null check (line !~ E'\\n'),
  at timestamptz not null default clock_timestamp(),
  primary key (ledger_id, size, name),
  foreign key (ledger_id, size) references ledger.checkpoint_note
);

create table ledger.time_stamp (
  ledger_id text not null,
  size bigint not null,
  tsa text not null,
  token bytea not null,
  at timestamptz not null default clock_timestamp(),
  primary key (ledger_id, size, tsa),
  foreign key (ledger_id, size) references ledger.checkpoint_note
);
`;

const RULES = `
do $$
declare t text;
begin
  foreach t in array array['entry', 'node', 'log_identity', 'checkpoint', 'checkpoint_note', 'cosignature', 'time_stamp']
  loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
end $$;

create function ledger.tree_grows() returns trigger language plpgsql as $$
begin
  if new.size < old.size or new.ledger_id <> old.ledger_id then
    raise exception 'the tree of % cannot go from % to % leaves', old.ledger_id, old.size, new.size
      using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger grows before update on ledger.tree_state for each row execute function ledger.tree_grows();
`;

/** Entries are cut as leaves are. Rows up to a page stay whole: 2 KB of JSON gains nothing by being moved out of line. */
const PARTITIONS = `
create or replace function ledger.ensure_leaf_partitions(up_to bigint) returns bigint
language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
  span constant bigint := 4000000;
  lower_bound bigint;
  parent text;
  part text;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.leaf partitions', 0));
  for lower_bound in select generate_series(0, up_to, span) loop
    foreach parent in array array['leaf', 'entry'] loop
      part := format('%s_%s', parent, lower_bound / span);
      continue when to_regclass('ledger.' || part) is not null;
      execute format('create table ledger.%I partition of ledger.%I for values from (%s) to (%s) %s',
        part, parent, lower_bound, lower_bound + span,
        case parent when 'entry' then 'with (toast_tuple_target = 8160)' else '' end);
      -- A statement trigger of the parent does not see a statement that names the partition.
      execute format('create trigger append_only before update or delete or truncate on ledger.%I
        for each statement execute function ledger.refuse_change()', part);
    end loop;
  end loop;
  return (up_to / span + 1) * span;
end $$;
select ledger.ensure_leaf_partitions(greatest(4000000, (select max(size) from ledger.tree_state)));
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.entry, ledger.node, ledger.log_identity, ledger.checkpoint,
      ledger.checkpoint_note, ledger.cosignature, ledger.time_stamp to custos_app;
  end if;
end $$;
`;

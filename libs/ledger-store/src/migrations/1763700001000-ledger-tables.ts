import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The ledger's tables. Amounts are integer pico-USD: bigint per posting (up to USD 9.2 million), numeric in sums.
 * `leaf` is partitioned by its index; unique keys there must contain it, so duplicates are kept out by the fence
 * (`source_offset`) and by each writer's high-water mark.
 */
export class LedgerTables1763700001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SOURCES);
    await runner.query(GENERATIONS);
    await runner.query(BOOKS);
    await runner.query(LIMITS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop schema ledger cascade');
  }
}

const SOURCES = `
create schema if not exists ledger;

create table ledger.source_offset (
  id integer generated always as identity primary key,
  log_id text not null,
  topic text not null,
  partition integer not null check (partition >= 0),
  next_offset bigint not null default 0 check (next_offset >= 0),
  unique (log_id, topic, partition)
);
comment on table ledger.source_offset is
  'The fence: the first offset of each partition whose effects are not here yet. Moves in the posting transaction only.';

create table ledger.tree_state (
  ledger_id text primary key,
  size bigint not null check (size >= 0),
  frontier bytea[] not null default '{}'
);
comment on table ledger.tree_state is 'Number of leaves; the compact range of the Merkle tree has its place beside it.';
insert into ledger.tree_state (ledger_id, size) values ('main', 0);

create table ledger.leaf (
  leaf_index bigint primary key,
  source_id integer not null,
  record_offset bigint not null,
  type text,
  generation_id text,
  leaf_hash bytea not null check (octet_length(leaf_hash) = 32),
  recorded_at timestamptz not null,
  effect text not null
) partition by range (leaf_index);

create table ledger.writer_high_water (
  writer text primary key,
  app text,
  source_id integer references ledger.source_offset,
  wseq bigint not null,
  last_hash text,
  last_seen_at timestamptz,
  stopped boolean not null default false,
  retired boolean not null default false,
  retired_after_wseq bigint
);
comment on column ledger.writer_high_water.last_seen_at is 'Time the log gave its last record.';

create table ledger.quarantine (
  leaf_index bigint not null references ledger.leaf,
  code text not null,
  generation_id text,
  detail text not null,
  noted_at timestamptz not null default clock_timestamp(),
  resolved_at timestamptz,
  primary key (leaf_index, code)
);
create index quarantine_open on ledger.quarantine (code) where resolved_at is null;
`;

const GENERATIONS = `
create table ledger.generation (
  id text primary key,
  status text not null,
  organisation_id text,
  workspace_id text,
  key_id text,
  model text,
  provider text,
  writer text,
  price_book text,
  received_at timestamptz,
  closed_at timestamptz,
  last_byte_at timestamptz,
  rated_at timestamptz,
  posted_at timestamptz,
  amount_pico numeric(38,0),
  state json not null,
  opened json,
  refused json,
  dispatched json[] not null default '{}',
  closes json[] not null default '{}',
  settled json,
  leaves bigint[] not null default '{}'
) with (toast_tuple_target = 8160);
comment on table ledger.generation is
  'Where each generation stands now. Rows of some 4 KB stay whole: compressing them cost a third of the rate (measured).';
create index generation_received on ledger.generation (received_at, id);
create index generation_organisation on ledger.generation (organisation_id, received_at, id);
create index generation_key on ledger.generation (key_id, received_at, id);
create index generation_open on ledger.generation (writer) where status = 'open';
create index generation_unrated on ledger.generation (price_book)
  where closed_at is not null and rated_at is null;
`;

const BOOKS = `
create table ledger.price_book (
  version text primary key,
  bytes bytea not null,
  sha256 bytea not null check (octet_length(sha256) = 32),
  recorded_at timestamptz not null default clock_timestamp()
);

create table ledger.account (
  id integer generated always as identity primary key,
  name text not null unique,
  created_at timestamptz not null default clock_timestamp()
);

create table ledger.journal (
  id bigint primary key,
  leaf_index bigint not null references ledger.leaf,
  kind text not null check (kind in ('usage', 'reversal')),
  generation_id text not null,
  price_book text not null,
  effective_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  reverses bigint unique references ledger.journal,
  check (id = leaf_index * 2 + (kind = 'reversal')::integer),
  check ((kind = 'reversal') = (reverses is not null))
);
create index journal_generation on ledger.journal (generation_id);
comment on column ledger.journal.id is
  'From the leaf that caused it: one leaf can post usage once and take earlier usage back once, whatever is redelivered.';

create table ledger.posting (
  journal_id bigint not null references ledger.journal deferrable initially deferred,
  seq smallint not null check (seq >= 0),
  account_id integer not null references ledger.account,
  amount bigint not null check (amount <> 0),
  primary key (journal_id, seq)
);
create index posting_account on ledger.posting (account_id);
`;

const LIMITS = `
create table ledger.scope_balance (
  scope text not null check (scope in ('key', 'workspace', 'organisation')),
  scope_id text not null,
  posted numeric(38,0) not null default 0,
  held numeric(38,0) not null default 0 check (held >= 0),
  leased numeric(38,0) not null default 0 check (leased >= 0),
  primary key (scope, scope_id)
);

create table ledger.lease (
  lease_id text primary key,
  writer text not null,
  scope text not null,
  scope_id text not null,
  granted numeric(38,0) not null check (granted > 0),
  allotted numeric(38,0) not null default 0 check (allotted >= 0),
  state text not null default 'open' check (state in ('open', 'returned')),
  granted_at timestamptz not null default clock_timestamp(),
  foreign key (scope, scope_id) references ledger.scope_balance
);
create index lease_open on ledger.lease (writer) where state = 'open';
comment on column ledger.lease.allotted is 'Sum of the holds placed on it, as far as their records are folded.';

create table ledger.hold (
  generation_id text not null,
  scope text not null,
  scope_id text not null,
  lease_id text not null,
  amount numeric(38,0) not null check (amount >= 0),
  state text not null check (state in ('held', 'captured', 'released')),
  primary key (generation_id, scope, scope_id)
);
create index hold_held on ledger.hold (scope, scope_id) where state = 'held';
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Corrections with author and reason, bought credit, months that close, and what the ledger itself has to say. */
export class Books1763700004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(JOURNAL);
    await runner.query(CREDIT);
    await runner.query(PERIOD);
    await runner.query(SAYING);
    await runner.query(GUARDS);
    await runner.query(GRANTS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** Journals written before months closed were all in time: theirs is the month of what they account for. */
const JOURNAL = `
alter table ledger.journal
  drop constraint journal_kind_check,
  alter column generation_id drop not null,
  alter column price_book drop not null,
  add column period text,
  add column author text,
  add column reason text;
alter table ledger.journal disable trigger append_only;
update ledger.journal set period = to_char(effective_at at time zone 'UTC', 'YYYY-MM');
alter table ledger.journal enable trigger append_only;
alter table ledger.journal
  alter column period set not null,
  add check (kind in ('usage', 'correction', 'reversal', 'credit')),
  add check (period ~ '^\\d{4}-(0[1-9]|1[0-2])$'),
  add check (period >= to_char(effective_at at time zone 'UTC', 'YYYY-MM')),
  add check ((kind = 'credit') = (generation_id is null)),
  add check ((kind = 'credit') = (price_book is null)),
  add check (kind not in ('correction', 'credit') or (author is not null and reason is not null));
create index journal_period on ledger.journal (period);
comment on column ledger.journal.period is
  'The month that it is posted into: that of effective_at, or the first that was still open for its record.';
`;

const CREDIT = `
create table ledger.credit (
  credit_id text primary key,
  organisation_id text not null,
  leaf_index bigint not null references ledger.leaf,
  amount numeric(38,0) not null check (amount >= 0),
  fee numeric(38,0) not null check (fee >= 0),
  effective_at timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp()
);
create index credit_organisation on ledger.credit (organisation_id);
comment on table ledger.credit is 'Credit bought, once by its id however often its record is read.';
`;

const PERIOD = `
create table ledger.period (
  period text primary key check (period ~ '^\\d{4}-(0[1-9]|1[0-2])$'),
  leaf_index bigint not null references ledger.leaf,
  log_id text not null,
  through json not null,
  closed_at timestamptz not null default clock_timestamp()
);
comment on table ledger.period is 'Months that are closed, by the record that says so and what was in time.';
`;

const SAYING = `
create table ledger.saying (
  id text primary key,
  type text,
  subject text,
  data json,
  said_leaf bigint references ledger.leaf,
  check ((type is null) = (data is null) and (subject is null) = (data is null)),
  check (data is not null or said_leaf is not null)
);
create index saying_unsaid on ledger.saying (id) where said_leaf is null;
comment on table ledger.saying is
  'What follows from the records and the ledger owes the log. A replay finds it said already, in whatever order it reads.';
`;

const GUARDS = `
do $$
declare t text;
begin
  foreach t in array array['credit', 'period'] loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
end $$;
create trigger stays before delete or truncate on ledger.saying
  for each statement execute function ledger.refuse_change();
`;

const GRANTS = `
do $$
begin
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.credit, ledger.period, ledger.saying to custos_app;
    grant update on ledger.saying to custos_app;
  end if;
end $$;
`;

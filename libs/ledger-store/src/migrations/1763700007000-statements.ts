import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Invoices as their records say them, and the documents that the records cite by digest. */
export class Statements1763700007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(JOURNAL);
    await runner.query(INVOICE);
    await runner.query(RULES);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** A further kind: the checks that name kinds are made anew. */
const JOURNAL = `
do $$
declare c text;
begin
  for c in select conname from pg_constraint
    where conrelid = 'ledger.journal'::regclass and contype = 'c'
      and pg_get_constraintdef(oid) ~ 'credit'
  loop
    execute format('alter table ledger.journal drop constraint %I', c);
  end loop;
end $$;
alter table ledger.journal
  add check (kind in ('usage', 'correction', 'reversal', 'credit', 'rounding')),
  add check ((kind in ('credit', 'rounding')) = (generation_id is null)),
  add check ((kind in ('credit', 'rounding')) = (price_book is null)),
  add check (kind not in ('correction', 'credit') or (author is not null and reason is not null));
`;

const INVOICE = `
create table ledger.invoice (
  period text not null check (period ~ '^\\d{4}-(0[1-9]|1[0-2])$'),
  organisation_id text not null,
  number text not null,
  leaf_index bigint not null references ledger.leaf,
  issued_at timestamptz not null,
  digest text not null,
  exact numeric(38,0) not null,
  payable numeric(38,0) not null,
  size bigint not null,
  root text not null,
  primary key (period, organisation_id)
);
create index invoice_organisation on ledger.invoice (organisation_id, period);
comment on table ledger.invoice is 'One per organisation and closed month, issued by a record of the ledger.';

create table ledger.invoice_document (
  digest text primary key,
  document text not null
);
comment on table ledger.invoice_document is
  'Statements by the digest of their canonical JSON; each can be made again from the journals and records.';
`;

const RULES = `
do $$
declare t text;
begin
  foreach t in array array['invoice', 'invoice_document'] loop
    execute format('create trigger append_only before update or delete or truncate on ledger.%I
      for each statement execute function ledger.refuse_change()', t);
  end loop;
  if exists (select from pg_roles where rolname = 'custos_app') then
    grant select, insert on ledger.invoice, ledger.invoice_document to custos_app;
  end if;
end $$;
`;

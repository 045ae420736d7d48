import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * That a posting's account and journal exist, and a journal's leaf, was asked row by row: nine look-ups for a generation, more than
 * half of what its journal cost (measured: docs/profile.md). Now a statement's accounts and leaves are asked for as a set, and the journal
 * once for each journal: by the posting with number 0, without which no other of its journal is taken. Rows of accounts, journals
 * and leaves are never removed (`append_only`), which is what the other half of the foreign keys kept. What holds is the same:
 * `test/contract/books.spec.ts` tries it. Counted row by row over the keys, because no planner makes a join of that: a join planned while
 * tables are small reads them whole when they are not. Operators are PostgreSQL's own, whatever schemas the session has before them.
 */
export class PostingsReferAsASet1763800008600 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(POSTINGS);
    await runner.query(POSTINGS_HAVE_JOURNAL);
    await runner.query(JOURNALS);
    await runner.query(REFERENCES);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const POSTINGS = `
create or replace function ledger.postings_precede_journal() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare bad bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.posting', 0));
  select f.journal_id into bad
  from (select distinct journal_id from fresh) f
  cross join lateral (select from ledger.journal j where j.id = f.journal_id limit 1) there
  limit 1;
  if found then
    raise exception 'journal % is closed for postings', bad using errcode = 'check_violation';
  end if;
  select f.account_id into bad
  from (select distinct account_id from fresh) f
  where (select count(*) from ledger.account a where a.id = f.account_id) = 0
  limit 1;
  if found then
    raise exception 'a posting violates its foreign key: there is no account %', bad
      using errcode = 'foreign_key_violation';
  end if;
  select f.journal_id into bad
  from (select distinct journal_id from fresh) f
  where (select count(*) from ledger.posting p where p.journal_id = f.journal_id and p.seq = 0) = 0
  limit 1;
  if found then
    raise exception 'postings of journal % begin with number 0', bad using errcode = 'check_violation';
  end if;
  return null;
end $$;
`;

const POSTINGS_HAVE_JOURNAL = `
create function ledger.posting_has_journal() returns trigger language plpgsql as $$
begin
  if not exists (select from ledger.journal j where j.id operator(pg_catalog.=) new.journal_id) then
    raise exception 'a posting violates its foreign key: there is no journal %', new.journal_id
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create constraint trigger has_journal after insert on ledger.posting deferrable initially deferred
  for each row when (new.seq = 0) execute function ledger.posting_has_journal();
`;

const JOURNALS = `
create or replace function ledger.journal_balances() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare bad bigint;
begin
  select j.id into bad
  from fresh j cross join lateral (
    select count(*) as n, sum(p.amount) as total, min(p.seq) as first, max(p.seq) as last
    from ledger.posting p where p.journal_id = j.id) of_it
  where of_it.n < 2 or of_it.total <> 0 or of_it.first <> 0 or of_it.last <> of_it.n - 1
  limit 1;
  if found then
    raise exception 'journal % does not balance', bad using errcode = 'check_violation';
  end if;
  select j.leaf_index into bad
  from (select distinct leaf_index from fresh) j
  where (select count(*) from ledger.leaf l where l.leaf_index = j.leaf_index) = 0
  limit 1;
  if found then
    raise exception 'a journal violates its foreign key: there is no leaf %', bad
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
`;

/** Only reversals are in the new index: of all other journals it held a NULL each. */
const REFERENCES = `
alter table ledger.posting
  drop constraint posting_account_id_fkey,
  drop constraint posting_journal_id_fkey;
alter table ledger.journal
  drop constraint journal_leaf_index_fkey,
  drop constraint journal_reverses_key;
create unique index journal_reverses_key on ledger.journal (reverses) where reverses is not null;
`;

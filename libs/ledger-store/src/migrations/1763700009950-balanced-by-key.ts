import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The same two rules, asked journal by journal over its key. As joins they were planned once, on tables that were still
 * small, and then read all postings there are for every batch: a cost that grew with the books (1.7 million rows read for
 * 79,000 written). `limit` and the aggregate keep the planner from making a join of it again.
 */
export class BalancedByKey1763700009950 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(BALANCES);
    await runner.query(PRECEDES);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

const BALANCES = `
create or replace function ledger.journal_balances() returns trigger language plpgsql set enable_seqscan = off as $$
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
  return null;
end $$;
`;

const PRECEDES = `
create or replace function ledger.postings_precede_journal() returns trigger language plpgsql
set enable_seqscan = off as $$
declare late bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.posting', 0));
  select f.journal_id into late
  from (select distinct journal_id from fresh) f
  cross join lateral (select from ledger.journal j where j.id = f.journal_id limit 1) there
  limit 1;
  if found then
    raise exception 'journal % is closed for postings', late using errcode = 'check_violation';
  end if;
  return null;
end $$;
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Two holes that only SQL of one's own could use. A session that inserts a posting before another one's journal stands was
 * seen by neither's trigger, and both could commit: so whoever inserts postings waits for whoever did. (At repeatable
 * read the foreign key does not see the journal either.) And a hold's period is as fixed as its amount.
 */
export class PostingsOneByOne1763700009600 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(POSTINGS);
    await runner.query(HOLDS);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

/** The lock is taken once per statement, and only the sequencer posts: nobody waits. */
const POSTINGS = `
create or replace function ledger.postings_precede_journal() returns trigger language plpgsql as $$
declare late bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('ledger.posting', 0));
  select f.journal_id into late from fresh f join ledger.journal j on j.id = f.journal_id limit 1;
  if found then
    raise exception 'journal % is closed for postings', late using errcode = 'check_violation';
  end if;
  return null;
end $$;
`;

const HOLDS = `
create or replace function ledger.hold_moves() returns trigger language plpgsql as $$
begin
  if old.state <> 'held' or new.state not in ('captured', 'released')
     or (new.generation_id, new.scope, new.scope_id, new.lease_id, new.period, new.amount)
        is distinct from (old.generation_id, old.scope, old.scope_id, old.lease_id, old.period, old.amount) then
    raise exception 'hold of % cannot go from % to %', old.generation_id, old.state, new.state
      using errcode = 'check_violation';
  end if;
  return new;
end $$;
`;

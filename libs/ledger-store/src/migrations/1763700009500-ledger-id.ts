import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A database keeps one ledger, and knows which: `ledger.id()`. It is `main` until a ledger of another id claims the
 * empty database; afterwards it never changes.
 */
export class LedgerId1763700009500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create unique index tree_state_only on ledger.tree_state ((true))');
    await runner.query(`
      create function ledger.id() returns text language sql stable
      as 'select t.ledger_id from ledger.tree_state t'`);
    await runner.query(`
      create or replace function ledger.tree_grows() returns trigger language plpgsql as $$
      begin
        if new.size < old.size or (new.ledger_id <> old.ledger_id
            and (old.size > 0 or exists (select from ledger.log_identity))) then
          raise exception 'the tree of % cannot go from % to % leaves', old.ledger_id, old.size, new.size
            using errcode = 'check_violation';
        end if;
        return new;
      end $$`);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** That a range is gone is said by the function that removed it, and by nobody else: the log lets go by this word. */
export class RetentionIsTheOwners1763800002100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      do $$
      begin
        if exists (select from pg_roles where rolname = 'custos_app') then
          revoke insert on ledger.retention_range from custos_app;
          grant insert (leaf_index, first_leaf, end_leaf, first_hash, last_hash) on ledger.retention_range to custos_app;
        end if;
      end $$`);
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

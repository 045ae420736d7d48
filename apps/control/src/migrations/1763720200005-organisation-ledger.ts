import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The ledger that keeps an organisation's records and books: chosen when it is made, and never changed after. */
export class OrganisationLedger1763720200005 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `alter table control.organisation add column ledger_id text not null default 'main'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table control.organisation drop column ledger_id');
  }
}

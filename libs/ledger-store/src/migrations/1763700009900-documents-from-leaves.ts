import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a generation's records say is read from the leaves that its row names: written beside the row as well, twice for
 * every generation (opened, then closed), they were half of all that the ledger wrote.
 */
export class DocumentsFromLeaves1763700009900 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table ledger.generation
      drop column opened, drop column refused, drop column dispatched, drop column closes`);
    await runner.query(`comment on table ledger.generation is
      'Where each generation stands now; its records are the leaves that it names.'`);
  }

  async down(): Promise<void> {
    // Goes with the schema; the leaves have all that was dropped.
  }
}

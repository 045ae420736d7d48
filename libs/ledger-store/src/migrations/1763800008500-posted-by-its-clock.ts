import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A generation that is posted in the batch that brought it bears the time at which its row is written, which it did before: the sequencer
 * asked for it and waited. Rows that are not posted are given none.
 */
export class PostedByItsClock1763800008500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table ledger.generation alter column posted_at set default clock_timestamp()',
    );
  }

  async down(): Promise<void> {
    // Goes with the schema.
  }
}

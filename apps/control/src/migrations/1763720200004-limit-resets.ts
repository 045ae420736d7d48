import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = ['organisation', 'workspace', 'api_key'] as const;

/** How often a limit begins anew, and who pays in advance. */
export class LimitResets1763720200004 implements MigrationInterface {
  readonly name = 'LimitResets1763720200004';

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES)
      await runner.query(
        `ALTER TABLE control.${table} ADD COLUMN limit_reset text
           CHECK (limit_reset IN ('daily', 'weekly', 'monthly'))`,
      );
    await runner.query(
      `ALTER TABLE control.organisation ADD COLUMN prepaid boolean NOT NULL DEFAULT false`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE control.organisation DROP COLUMN prepaid');
    for (const table of TABLES)
      await runner.query(`ALTER TABLE control.${table} DROP COLUMN limit_reset`);
  }
}

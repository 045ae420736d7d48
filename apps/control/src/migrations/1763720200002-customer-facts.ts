import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Facts that customers state of their own contracts. */
export class CustomerFacts1763720200002 implements MigrationInterface {
  readonly name = 'CustomerFacts1763720200002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE control.customer_fact (
        id text PRIMARY KEY,
        organisation_id text NOT NULL REFERENCES control.organisation,
        statement jsonb NOT NULL,
        status text NOT NULL CHECK (status IN ('proposed', 'in-force', 'revoked')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        approver text CHECK (approver <> author),
        approved_at timestamptz,
        revoked_by text,
        revoked_at timestamptz,
        CHECK ((approver IS NULL) = (approved_at IS NULL)),
        CHECK (status <> 'in-force' OR approver IS NOT NULL),
        CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
      )`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT, UPDATE ON control.customer_fact TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE control.customer_fact');
  }
}

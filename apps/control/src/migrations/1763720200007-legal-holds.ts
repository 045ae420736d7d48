import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Legal holds and who decided on them. The ledger keeps by its own fold of the records, not by this table. */
export class LegalHolds1763720200007 implements MigrationInterface {
  readonly name = 'LegalHolds1763720200007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE control.legal_hold (
        id text PRIMARY KEY,
        ledger_id text NOT NULL,
        scope jsonb NOT NULL,
        matter text NOT NULL,
        reason text NOT NULL,
        status text NOT NULL CHECK (status IN ('proposed', 'in-force', 'lifting', 'lifted', 'withdrawn')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        lift_author text,
        lift_reason text,
        lifted_by text,
        lifted_at timestamptz,
        CHECK ((status = 'proposed') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK (status IN ('proposed', 'withdrawn') OR decided_by <> author),
        CHECK ((status IN ('lifting', 'lifted')) = (lift_author IS NOT NULL)),
        CHECK ((lift_author IS NULL) = (lift_reason IS NULL)),
        CHECK ((status = 'lifted') = (lifted_by IS NOT NULL)),
        CHECK ((lifted_by IS NULL) = (lifted_at IS NULL)),
        CHECK (status <> 'lifted' OR lifted_by <> lift_author)
      )`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT, UPDATE ON control.legal_hold TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE control.legal_hold');
  }
}

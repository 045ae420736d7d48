import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Which organisations have content kept; who asked for it to be read or erased, and who else agreed. The vault itself is
 * a database of its own: here is no content, no key and no subject, but the ids of subjects' keys.
 */
export class ContentVault1763800001000 implements MigrationInterface {
  readonly name = 'ContentVault1763800001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE control.organisation ADD COLUMN content_vault jsonb');
    await runner.query(`
      CREATE TABLE control.erasure (
        id text PRIMARY KEY,
        organisation_id text NOT NULL,
        ledger_id text NOT NULL,
        subject_key_id text NOT NULL,
        reason text NOT NULL,
        ticket text,
        status text NOT NULL CHECK (status IN ('proposed', 'withdrawn', 'approved', 'executed')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        destroyed_at timestamptz,
        CHECK ((status = 'proposed') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK (status IN ('proposed', 'withdrawn') OR decided_by <> author),
        CHECK ((status = 'executed') = (destroyed_at IS NOT NULL))
      )`);
    await runner.query(
      `CREATE INDEX erasure_due ON control.erasure (decided_at) WHERE status = 'approved'`,
    );
    await runner.query(`
      CREATE TABLE control.content_reading (
        id text PRIMARY KEY,
        generation_id text NOT NULL,
        organisation_id text NOT NULL,
        ledger_id text NOT NULL,
        subject_key_id text NOT NULL,
        reason text NOT NULL,
        ticket text,
        status text NOT NULL CHECK (status IN ('proposed', 'withdrawn', 'approved')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        CHECK ((status = 'proposed') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK (status <> 'approved' OR decided_by <> author)
      )`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT, UPDATE ON control.erasure, control.content_reading TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE control.content_reading');
    await runner.query('DROP TABLE control.erasure');
    await runner.query('ALTER TABLE control.organisation DROP COLUMN content_vault');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every set of facts that was ever in force for an organisation, by the digest that decisions on it cite: without it
 * nobody could derive such a decision again. Kept for ever. And facts can be suspended.
 */
export class FactVersions1763720200003 implements MigrationInterface {
  readonly name = 'FactVersions1763720200003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE control.fact_version (
        version text PRIMARY KEY CHECK (version ~ '^sha256:[0-9a-f]{64}$'),
        organisation_id text NOT NULL REFERENCES control.organisation,
        facts jsonb NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`);
    await runner.query(`
      CREATE FUNCTION control.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% on %.% is refused: its rows are history', tg_op, tg_table_schema, tg_table_name
          USING errcode = 'restrict_violation';
      END $$`);
    await runner.query(`
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control.fact_version
        FOR EACH STATEMENT EXECUTE FUNCTION control.refuse_change()`);
    await runner.query(`
      ALTER TABLE control.customer_fact
        DROP CONSTRAINT customer_fact_status_check,
        ADD CONSTRAINT customer_fact_status_check
          CHECK (status IN ('proposed', 'in-force', 'suspended', 'revoked')),
        ADD COLUMN suspended_by text,
        ADD COLUMN suspended_at timestamptz,
        ADD CHECK ((suspended_by IS NULL) = (suspended_at IS NULL)),
        ADD CHECK (status <> 'suspended' OR suspended_by IS NOT NULL),
        ADD CHECK (revoked_by <> suspended_by)`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT ON control.fact_version TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE control.fact_version');
    await runner.query('DROP FUNCTION control.refuse_change()');
    await runner.query('ALTER TABLE control.customer_fact DROP suspended_by, DROP suspended_at');
  }
}

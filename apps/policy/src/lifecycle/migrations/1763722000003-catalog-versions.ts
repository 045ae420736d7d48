import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Every catalog that was ever decided on, by the digest that decisions cite: without it nobody could derive such a
 * decision again. Kept for ever, and no row can be anything but what its version says.
 */
export class CatalogVersions1763722000003 implements MigrationInterface {
  readonly name = 'CatalogVersions1763722000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE policy.catalog_version (
        version text PRIMARY KEY,
        records bytea NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CHECK (version = 'sha256:' || encode(sha256(records), 'hex'))
      )`);
    await runner.query(`
      CREATE FUNCTION policy.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION '% on %.% is refused: its rows are history', tg_op, tg_table_schema, tg_table_name
          USING errcode = 'restrict_violation';
      END $$`);
    await runner.query(`
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy.catalog_version
        FOR EACH STATEMENT EXECUTE FUNCTION policy.refuse_change()`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT ON policy.catalog_version TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE policy.catalog_version');
    await runner.query('DROP FUNCTION policy.refuse_change()');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What control owns. The schema is made by whoever runs the migrations (their table lies in it). */
export class ControlTables1763720200001 implements MigrationInterface {
  readonly name = 'ControlTables1763720200001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SCHEMA IF NOT EXISTS control`);
    await runner.query(`
      CREATE TABLE control.organisation (
        id text PRIMARY KEY,
        name text NOT NULL,
        sector text NOT NULL,
        jurisdiction text NOT NULL,
        limit_pico_usd numeric(40,0) CHECK (limit_pico_usd >= 0)
      )`);
    await runner.query(`
      CREATE TABLE control.workspace (
        id text PRIMARY KEY,
        organisation_id text NOT NULL REFERENCES control.organisation,
        name text NOT NULL,
        environment text NOT NULL,
        strategy text NOT NULL CHECK (strategy IN ('cost-first', 'quality-first', 'balanced')),
        limit_pico_usd numeric(40,0) CHECK (limit_pico_usd >= 0)
      )`);
    await runner.query(`
      CREATE TABLE control.api_key (
        id text PRIMARY KEY,
        workspace_id text NOT NULL REFERENCES control.workspace,
        label text NOT NULL,
        secret_sha256 text NOT NULL UNIQUE CHECK (secret_sha256 ~ '^[0-9a-f]{64}$'),
        roles text[] NOT NULL
          CHECK (roles <@ ARRAY['inference', 'admin', 'approver', 'auditor'] AND cardinality(roles) > 0),
        defaults jsonb NOT NULL,
        limit_pico_usd numeric(40,0) CHECK (limit_pico_usd >= 0),
        disabled boolean NOT NULL,
        created_at timestamptz NOT NULL
      )`);
    await runner.query(
      `CREATE TABLE control.price_book (version text PRIMARY KEY, entries int NOT NULL)`,
    );
    await runner.query(`
      CREATE TABLE control.outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        decided_at timestamptz NOT NULL,
        actor text NOT NULL,
        change jsonb NOT NULL,
        applied_at timestamptz,
        recorded_in text,
        CHECK ((applied_at IS NULL) = (recorded_in IS NULL))
      )`);
    await runner.query(
      `CREATE INDEX outbox_pending ON control.outbox (seq) WHERE applied_at IS NULL`,
    );
    // custos_app runs control. Where the operator names roles otherwise, the same rights are theirs to give.
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT USAGE ON SCHEMA control TO custos_app;
          GRANT SELECT, INSERT, UPDATE ON control.organisation, control.workspace, control.api_key,
            control.price_book, control.outbox TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['outbox', 'price_book', 'api_key', 'workspace', 'organisation'])
      await runner.query(`DROP TABLE control.${table}`);
  }
}

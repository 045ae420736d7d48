import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the policy engine owns. Bundles, steps and activations are kept for ever: they are the time machine. */
export class PolicyTables1763722000001 implements MigrationInterface {
  readonly name = 'PolicyTables1763722000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SCHEMA IF NOT EXISTS policy`);
    await runner.query(`
      CREATE TABLE policy.bundle (
        version text PRIMARY KEY CHECK (version ~ '^sha256:[0-9a-f]{64}$'),
        policies jsonb NOT NULL,
        schema text NOT NULL,
        signature text,
        author text NOT NULL,
        comment text NOT NULL,
        created_at timestamptz NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE policy.bundle_step (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL REFERENCES policy.bundle,
        step text NOT NULL CHECK (step IN
          ('draft', 'validated', 'simulated', 'proposed', 'approved', 'active', 'superseded', 'rejected')),
        at timestamptz NOT NULL,
        actor text NOT NULL,
        details jsonb NOT NULL
      )`);
    await runner.query(
      `CREATE INDEX bundle_step_version ON policy.bundle_step (version, seq DESC)`,
    );
    await runner.query(`
      CREATE TABLE policy.activation (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL REFERENCES policy.bundle,
        previous text REFERENCES policy.bundle,
        roll_back_to text REFERENCES policy.bundle,
        cause text NOT NULL CHECK (cause IN ('first-start', 'activation', 'rollback')),
        at timestamptz NOT NULL,
        actor text NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE policy.exception (
        id text PRIMARY KEY,
        policies text[] NOT NULL CHECK (cardinality(policies) > 0),
        scope_kind text NOT NULL CHECK (scope_kind IN ('organisation', 'workspace', 'key')),
        scope_id text NOT NULL,
        ticket text NOT NULL,
        reason text NOT NULL,
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        approved_by text,
        approved_at timestamptz,
        signature text,
        revoked_by text,
        revoked_at timestamptz,
        CHECK (approved_by <> requested_by),
        CHECK (expires_at <= requested_at + interval '72 hours'),
        CHECK ((approved_by IS NULL) = (signature IS NULL) AND (approved_by IS NULL) = (approved_at IS NULL)),
        CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
      )`);
    await runner.query(`
      CREATE TABLE policy.outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        decided_at timestamptz NOT NULL,
        actor text NOT NULL,
        change jsonb NOT NULL,
        applied_at timestamptz,
        recorded_in text,
        CHECK ((applied_at IS NULL) = (recorded_in IS NULL))
      )`);
    await runner.query(
      `CREATE INDEX policy_outbox_pending ON policy.outbox (seq) WHERE applied_at IS NULL`,
    );
    // custos_app runs the policy engine. What was said once it may add to, and neither change nor take back.
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT USAGE ON SCHEMA policy TO custos_app;
          GRANT SELECT, INSERT ON policy.bundle, policy.bundle_step, policy.activation, policy.exception,
            policy.outbox TO custos_app;
          GRANT UPDATE (signature) ON policy.bundle TO custos_app;
          GRANT UPDATE (approved_by, approved_at, signature, revoked_by, revoked_at)
            ON policy.exception TO custos_app;
          GRANT UPDATE (applied_at, recorded_in) ON policy.outbox TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['outbox', 'exception', 'activation', 'bundle_step', 'bundle'])
      await runner.query(`DROP TABLE policy.${table}`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Corrections that wait for their second person, and credit that was bought. */
export class Money1763720200006 implements MigrationInterface {
  readonly name = 'Money1763720200006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE control.correction (
        id text PRIMARY KEY,
        organisation_id text NOT NULL REFERENCES control.organisation,
        generation_id text NOT NULL,
        number integer CHECK (number > 0),
        content jsonb NOT NULL,
        reason text NOT NULL,
        status text NOT NULL CHECK (status IN ('proposed', 'approved', 'withdrawn')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        UNIQUE (generation_id, number),
        CHECK ((status = 'approved') = (number IS NOT NULL)),
        CHECK ((status = 'proposed') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK (status <> 'approved' OR decided_by <> author)
      )`);
    await runner.query(`
      CREATE TABLE control.credit (
        id text PRIMARY KEY,
        organisation_id text NOT NULL REFERENCES control.organisation,
        idempotency_key text NOT NULL,
        amount_pico_usd numeric(40,0) NOT NULL CHECK (amount_pico_usd > 0),
        fee_pico_usd numeric(40,0) NOT NULL CHECK (fee_pico_usd >= 0),
        reference text,
        author text NOT NULL,
        bought_at timestamptz NOT NULL,
        UNIQUE (organisation_id, idempotency_key)
      )`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT, UPDATE ON control.correction TO custos_app;
          GRANT SELECT, INSERT ON control.credit TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE control.credit');
    await runner.query('DROP TABLE control.correction');
  }
}

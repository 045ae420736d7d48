import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Refunds that wait for their second person: of an amount, or of one purchase whole. */
export class Refunds1763800009000 implements MigrationInterface {
  readonly name = 'Refunds1763800009000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE control.credit ADD UNIQUE (id, organisation_id)`);
    await runner.query(`
      CREATE TABLE control.refund (
        id text PRIMARY KEY,
        organisation_id text NOT NULL REFERENCES control.organisation,
        idempotency_key text NOT NULL,
        amount_pico_usd numeric(40,0) CHECK (amount_pico_usd > 0),
        credit_id text,
        reason text NOT NULL,
        status text NOT NULL CHECK (status IN ('proposed', 'approved', 'withdrawn')),
        author text NOT NULL,
        proposed_at timestamptz NOT NULL,
        decided_by text,
        decided_at timestamptz,
        UNIQUE (organisation_id, idempotency_key),
        FOREIGN KEY (credit_id, organisation_id) REFERENCES control.credit (id, organisation_id),
        CHECK ((amount_pico_usd IS NULL) <> (credit_id IS NULL)),
        CHECK ((status = 'proposed') = (decided_by IS NULL)),
        CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        CHECK (status <> 'approved' OR decided_by <> author)
      )`);
    await runner.query(`
      CREATE FUNCTION control.refund_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.status <> 'proposed' THEN
          RAISE EXCEPTION 'what was decided stays as it is';
        END IF;
        IF (OLD.id, OLD.organisation_id, OLD.idempotency_key, OLD.amount_pico_usd, OLD.credit_id, OLD.reason,
            OLD.author, OLD.proposed_at)
           IS DISTINCT FROM
           (NEW.id, NEW.organisation_id, NEW.idempotency_key, NEW.amount_pico_usd, NEW.credit_id, NEW.reason,
            NEW.author, NEW.proposed_at) THEN
          RAISE EXCEPTION 'what was proposed stays as it is';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER decided_once BEFORE UPDATE ON control.refund
        FOR EACH ROW EXECUTE FUNCTION control.refund_decided_once()`);
    // Else one person alone could enter it as approved by another.
    await runner.query(`
      CREATE FUNCTION control.refund_begins_proposed() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF NEW.status <> 'proposed' THEN
          RAISE EXCEPTION 'a refund is proposed first';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER begins_proposed BEFORE INSERT ON control.refund
        FOR EACH ROW EXECUTE FUNCTION control.refund_begins_proposed()`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT, UPDATE ON control.refund TO custos_app;
        END IF;
      END $$`);
  }

  async down(): Promise<void> {
    throw new Error('refunds that two persons decided on are not to be forgotten');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Credit that waits for a second person. What was bought before was given by one, and is nobody's to change. */
export class CreditByTwo1763800004000 implements MigrationInterface {
  readonly name = 'CreditByTwo1763800004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE control.credit
        ADD COLUMN fee jsonb,
        ADD COLUMN status text NOT NULL DEFAULT 'bought' CHECK (status IN ('proposed', 'bought', 'withdrawn')),
        ADD COLUMN alone boolean NOT NULL DEFAULT true,
        ADD COLUMN proposed_at timestamptz,
        ADD COLUMN decided_by text,
        ADD COLUMN decided_at timestamptz,
        ALTER COLUMN bought_at DROP NOT NULL`);
    await runner.query(`UPDATE control.credit SET proposed_at = bought_at`);
    await runner.query(`
      ALTER TABLE control.credit
        ALTER COLUMN status DROP DEFAULT,
        ALTER COLUMN alone DROP DEFAULT,
        ALTER COLUMN proposed_at SET NOT NULL,
        ADD CHECK ((status = 'bought') = (bought_at IS NOT NULL)),
        ADD CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
        ADD CHECK ((decided_by IS NULL) = (alone OR status = 'proposed')),
        ADD CHECK (status = 'bought' OR NOT alone),
        ADD CHECK (alone OR status <> 'bought' OR decided_by <> author),
        ADD CHECK (alone OR fee IS NOT NULL)`);
    await runner.query(`CREATE INDEX credit_alone ON control.credit (bought_at) WHERE alone`);
    await runner.query(`
      CREATE FUNCTION control.decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF OLD.status <> 'proposed' THEN
          RAISE EXCEPTION 'what was decided stays as it is';
        END IF;
        IF (OLD.id, OLD.organisation_id, OLD.idempotency_key, OLD.amount_pico_usd, OLD.fee_pico_usd, OLD.fee,
            OLD.reference, OLD.alone, OLD.author, OLD.proposed_at)
           IS DISTINCT FROM
           (NEW.id, NEW.organisation_id, NEW.idempotency_key, NEW.amount_pico_usd, NEW.fee_pico_usd, NEW.fee,
            NEW.reference, NEW.alone, NEW.author, NEW.proposed_at) THEN
          RAISE EXCEPTION 'what was proposed stays as it is';
        END IF;
        RETURN NEW;
      END $$`);
    await runner.query(`
      CREATE TRIGGER decided_once BEFORE UPDATE ON control.credit
        FOR EACH ROW EXECUTE FUNCTION control.decided_once()`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT UPDATE ON control.credit TO custos_app;
        END IF;
      END $$`);
  }

  async down(): Promise<void> {
    throw new Error('credit that two persons decided on is not to be forgotten');
  }
}

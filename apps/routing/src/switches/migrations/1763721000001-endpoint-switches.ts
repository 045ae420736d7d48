import type { MigrationInterface, QueryRunner } from 'typeorm';

/** History of the operator's switches; rows are never deleted, and only `recorded_at` is ever set. */
export class EndpointSwitches1763721000001 implements MigrationInterface {
  readonly name = 'EndpointSwitches1763721000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SCHEMA IF NOT EXISTS routing`);
    await runner.query(`
      CREATE TABLE routing.endpoint_switch_change (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        endpoint_id text NOT NULL CHECK (endpoint_id ~ '^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,199}$'),
        enabled boolean NOT NULL,
        actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
        changed_at timestamptz NOT NULL,
        recorded_at timestamptz
      )`);
    await runner.query(`
      CREATE INDEX endpoint_switch_change_by_endpoint
        ON routing.endpoint_switch_change (endpoint_id, seq DESC) WHERE recorded_at IS NOT NULL`);
    await runner.query(`
      CREATE INDEX endpoint_switch_change_pending
        ON routing.endpoint_switch_change (seq) WHERE recorded_at IS NULL`);
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT USAGE ON SCHEMA routing TO custos_app;
          GRANT SELECT, INSERT ON routing.endpoint_switch_change TO custos_app;
          GRANT UPDATE (recorded_at) ON routing.endpoint_switch_change TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE routing.endpoint_switch_change`);
  }
}

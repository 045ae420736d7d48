import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Under which bundles, in which version of the software, the compiled evaluator was found wrong, and who cleared it. The
 * last row of a pair counts; rows are added only.
 */
export class EvaluatorTrust1763722000002 implements MigrationInterface {
  readonly name = 'EvaluatorTrust1763722000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE policy.evaluator_trust (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        version text NOT NULL REFERENCES policy.bundle,
        software text NOT NULL,
        trusted boolean NOT NULL,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        details jsonb NOT NULL
      )`);
    await runner.query(
      `CREATE INDEX evaluator_trust_version ON policy.evaluator_trust (version, software, seq DESC)`,
    );
    await runner.query(`
      DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT SELECT, INSERT ON policy.evaluator_trust TO custos_app;
        END IF;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE policy.evaluator_trust');
  }
}

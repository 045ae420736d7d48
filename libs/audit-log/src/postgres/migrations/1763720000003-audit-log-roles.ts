import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who may do what. `custos_audit` (ingress) may append and nothing else; `custos_app` (ledger, control) may also
 * read and retire a dead writer; nobody but the owner may change a record, and the triggers refuse even him.
 * Roles that do not exist yet get their rights when the operator calls `SELECT log.grant_roles()` again.
 */
export class AuditLogRoles1763720000003 implements MigrationInterface {
  readonly name = 'AuditLogRoles1763720000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `REVOKE ALL ON FUNCTION log.append, log.ensure_ranges, log.retire_writer, log.refuse_change FROM PUBLIC`,
    );
    await runner.query(`
      CREATE FUNCTION log.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_audit') THEN
          GRANT USAGE ON SCHEMA log TO custos_audit;
          GRANT SELECT ON log.identity TO custos_audit;
          GRANT EXECUTE ON FUNCTION log.append, log.ensure_ranges TO custos_audit;
        END IF;
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
          GRANT USAGE ON SCHEMA log TO custos_app;
          GRANT SELECT ON log.identity, log.partition, log.writer, log.record TO custos_app;
          GRANT EXECUTE ON FUNCTION log.append, log.ensure_ranges, log.retire_writer TO custos_app;
        END IF;
      END $$`);
    await runner.query(`REVOKE ALL ON FUNCTION log.grant_roles FROM PUBLIC`);
    await runner.query(`SELECT log.grant_roles()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION log.grant_roles`);
  }
}

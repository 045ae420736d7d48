import type { MigrationInterface, QueryRunner } from 'typeorm';
import { appendFunction } from './1763720000002-audit-log-append.js';

/**
 * Whoever has ingress's role alone appends to the data plane's topic alone: what moves money is said in the others, and is
 * believed by where it stands and by whose name it bears. On Kafka the broker's rights say the same.
 */
export class AuditRoleSaysTraffic1763800007000 implements MigrationInterface {
  readonly name = 'AuditRoleSaysTraffic1763800007000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(IS_DATA_PLANE);
    await runner.query(`REVOKE ALL ON FUNCTION log.is_data_plane FROM PUBLIC`);
    await runner.query(`CREATE OR REPLACE FUNCTION ${appendFunction(CHECK)}`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE OR REPLACE FUNCTION ${appendFunction('')}`);
    await runner.query(`DROP FUNCTION log.is_data_plane`);
  }
}

/** True for a login that is a member of custos_audit and of no role that may do more. A superuser is a member of all. */
const IS_DATA_PLANE = `
  CREATE FUNCTION log.is_data_plane(login name) RETURNS boolean
  LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_or(rolname = 'custos_audit' AND pg_has_role(login, oid, 'MEMBER')), false)
       AND NOT coalesce(bool_or(rolname <> 'custos_audit' AND pg_has_role(login, oid, 'MEMBER')), false)
      FROM pg_roles WHERE rolname IN ('custos_audit', 'custos_app', 'custos_owner')
  $$`;

const CHECK = `
    IF EXISTS (SELECT 1 FROM unnest(topics) t WHERE t <> 'custos.audit.v1') AND log.is_data_plane(session_user) THEN
      RAISE EXCEPTION 'this role says the traffic, and nothing else' USING ERRCODE = '42501';
    END IF;`;

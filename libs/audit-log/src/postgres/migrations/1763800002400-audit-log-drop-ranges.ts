import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A table of the log of which every record was forgotten is dropped whole: to delete its rows writes as much to the
 * database's own log as they did (each page once more).
 */
export class AuditLogDropRanges1763800002400 implements MigrationInterface {
  readonly name = 'AuditLogDropRanges1763800002400';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(IS_FORGOTTEN);
    await runner.query(DROP_RANGE);
    await runner.query(`REVOKE ALL ON FUNCTION log.is_forgotten FROM PUBLIC`);
  }

  async down(): Promise<void> {
    // Goes with log.forgotten.
  }
}

/** Whether all offsets of a range that have been written were forgotten, are old enough by the log's own clock, and no hold came since. */
const IS_FORGOTTEN = `
  CREATE FUNCTION log.is_forgotten(p_first bigint, p_until bigint) RETURNS boolean
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    RETURN NOT EXISTS (
      SELECT 1 FROM log.partition p
       WHERE p.next_offset > p_first AND p_until - p_first <> (
         SELECT coalesce(sum(least(f.end_offset, p_until) - greatest(f.first_offset, p_first)), 0) FROM log.forgotten f
          WHERE f.topic = p.topic AND f.partition = p.partition
            AND f.end_offset > p_first AND f.first_offset < p_until))
    AND NOT EXISTS (
      SELECT 1 FROM log.partition p JOIN log.record r
          ON r.topic = p.topic AND r.partition = p.partition AND r."offset" = p_until - 1
       WHERE r.recorded_at > clock_timestamp() - interval '6 months')
    AND NOT EXISTS (
      SELECT 1 FROM log.forgotten f
       WHERE f.end_offset > p_first AND f.first_offset < p_until
         AND EXISTS (SELECT 1 FROM ledger.legal_hold h WHERE h.set_leaf >= f.seen_leaves AND h.lifted_leaf IS NULL)
         AND ledger.hold_over(f.first_leaf, f.end_leaf) IS NOT NULL);
  END $$`;

/** As before, and for a range that was forgotten whole. */
const DROP_RANGE = `
  CREATE OR REPLACE FUNCTION log.drop_empty_range() RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
  DECLARE
    part record;
    forgotten boolean;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.ensure_ranges', 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.forget', 0));
    FOR part IN
      SELECT c.oid::regclass AS name FROM pg_class c
       WHERE c.relnamespace = 'log'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^forgotten_[0-9]+$'
    LOOP
      EXECUTE format('DROP TABLE %s', part.name);
      RETURN true;
    END LOOP;
    FOR part IN
      SELECT c.oid, c.relname AS name, m[1]::bigint AS first, m[2]::bigint AS until
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
       CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''(\\d+)''\\) TO \\(''(\\d+)''\\)') m
       WHERE i.inhparent = 'log.record'::regclass AND m IS NOT NULL
       ORDER BY 3
    LOOP
      CONTINUE WHEN part.until > (SELECT max(p.next_offset) FROM log.partition p);
      CONTINUE WHEN EXISTS (
        SELECT 1 FROM log.partition p WHERE p.next_offset >= part.first AND p.next_offset < part.until);
      forgotten := to_regclass('ledger.legal_hold') IS NOT NULL AND log.is_forgotten(part.first, part.until);
      CONTINUE WHEN NOT forgotten AND pg_relation_size(part.oid) > 0;
      LOCK TABLE ONLY log.record IN ACCESS EXCLUSIVE MODE;
      CONTINUE WHEN NOT forgotten AND pg_relation_size(part.oid) > 0;
      EXECUTE format('ALTER TABLE log.record DETACH PARTITION log.%I', part.name);
      EXECUTE format('ALTER TABLE log.%I RENAME TO %I', part.name, 'forgotten_' || substring(part.name FROM '\\d+$'));
      UPDATE log.forgotten f SET swept_to = least(f.end_offset, part.until)
       WHERE f.end_offset > part.first AND f.first_offset < part.until
         AND f.swept_to >= part.first AND f.swept_to < least(f.end_offset, part.until);
      RETURN true;
    END LOOP;
    RETURN false;
  END $$`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Holds are asked for again when a table that was taken off is dropped, and nothing is deleted while one is being posted: in
 * share mode the table of holds lets everybody read it and nobody add to it.
 */
export class AuditLogDropsUnderNoHold1763800010200 implements MigrationInterface {
  readonly name = 'AuditLogDropsUnderNoHold1763800010200';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(EXCLUDE_HOLDS);
    await runner.query(HOLD_CAME);
    await runner.query(SWEEP);
    await runner.query(DROP_RANGE);
    await runner.query(`REVOKE ALL ON FUNCTION log.exclude_holds, log.hold_came_over FROM PUBLIC`);
  }

  async down(): Promise<void> {
    // Goes with log.forgotten.
  }
}

/** Only a batch that bears a hold waits for it. False where the ledger's tables are elsewhere. */
const EXCLUDE_HOLDS = `
  CREATE FUNCTION log.exclude_holds() RETURNS boolean
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    IF to_regclass('ledger.legal_hold') IS NULL THEN RETURN false; END IF;
    LOCK TABLE ledger.legal_hold IN SHARE MODE;
    RETURN true;
  END $$`;

/** Whether a hold that came after it was decided covers what was forgotten of these offsets. */
const HOLD_CAME = `
  CREATE FUNCTION log.hold_came_over(p_first bigint, p_until bigint) RETURNS boolean
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    RETURN EXISTS (
      SELECT 1 FROM log.forgotten f
       WHERE f.end_offset > p_first AND f.first_offset < p_until
         AND EXISTS (SELECT 1 FROM ledger.legal_hold h WHERE h.set_leaf >= f.seen_leaves AND h.lifted_leaf IS NULL)
         AND ledger.hold_over(f.first_leaf, f.end_leaf) IS NOT NULL);
  END $$`;

/** As before, while no hold is posted. */
const SWEEP = `
  CREATE OR REPLACE FUNCTION log.sweep(p_max int) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
  DECLARE
    least_age CONSTANT interval := '6 months';
    part log.forgotten;
    upto bigint;
    gone bigint;
    ranges oid[];
    range oid;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.forget', 0));
    PERFORM log.exclude_holds();
    SELECT * INTO part FROM log.forgotten f
     WHERE f.swept_to < f.end_offset
       AND (NOT EXISTS (SELECT 1 FROM ledger.legal_hold h WHERE h.set_leaf >= f.seen_leaves AND h.lifted_leaf IS NULL)
            OR ledger.hold_over(f.first_leaf, f.end_leaf) IS NULL)
     ORDER BY f.forgotten_at, f.topic, f.partition LIMIT 1;
    IF NOT FOUND THEN RETURN NULL; END IF;
    upto := least(part.end_offset, part.swept_to + greatest(p_max, 1));
    IF EXISTS (
      SELECT 1 FROM log.record r WHERE r.topic = part.topic AND r.partition = part.partition
         AND r."offset" >= part.swept_to AND r."offset" < upto AND r.recorded_at > clock_timestamp() - least_age) THEN
      RAISE EXCEPTION 'a record of %/% before % is younger than %', part.topic, part.partition, upto, least_age
        USING ERRCODE = 'check_violation';
    END IF;
    WITH deleted AS (
      DELETE FROM log.record r WHERE r.topic = part.topic AND r.partition = part.partition
         AND r."offset" >= part.swept_to AND r."offset" < upto RETURNING r.tableoid AS range)
    SELECT count(*), array_agg(DISTINCT d.range) INTO gone, ranges FROM deleted d;
    FOREACH range IN ARRAY coalesce(ranges, '{}') LOOP
      CONTINUE WHEN EXISTS (
        SELECT 1 FROM pg_class c WHERE c.oid = range AND 'autovacuum_vacuum_scale_factor=0' = ANY (c.reloptions));
      BEGIN
        EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)',
          range::regclass);
      EXCEPTION WHEN lock_not_available THEN
        NULL; -- The next step, or autovacuum's own time.
      END;
    END LOOP;
    UPDATE log.forgotten f SET swept_to = upto
     WHERE f.topic = part.topic AND f.partition = part.partition AND f.first_offset = part.first_offset;
    RETURN gone;
  END $$`;

/** As before, but that a table that was taken off stays while a hold covers what is in it: nothing delivers it meanwhile. */
const DROP_RANGE = `
  CREATE OR REPLACE FUNCTION log.drop_empty_range() RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
  DECLARE
    range_offsets CONSTANT bigint := 5000000;
    part record;
    asked boolean;
    forgotten boolean;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.ensure_ranges', 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.forget', 0));
    asked := log.exclude_holds();
    FOR part IN
      SELECT c.oid, c.oid::regclass AS name, substring(c.relname FROM '\\d+$')::bigint * range_offsets AS first
        FROM pg_class c
       WHERE c.relnamespace = 'log'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^forgotten_[0-9]+$'
    LOOP
      CONTINUE WHEN pg_relation_size(part.oid) > 0
        AND (NOT asked OR log.hold_came_over(part.first, part.first + range_offsets));
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
      forgotten := asked AND log.is_forgotten(part.first, part.until);
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

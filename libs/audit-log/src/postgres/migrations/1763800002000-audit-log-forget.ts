import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the ledger's archive has let go under its retention policy goes here as well, by functions of the owner that look
 * for themselves. They need the ledger's tables in this database; where those are elsewhere nothing is ever removed.
 */
export class AuditLogForget1763800002000 implements MigrationInterface {
  readonly name = 'AuditLogForget1763800002000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [FORGOTTEN, GUARDS, FORGET, SWEEP, DROP_EMPTY_RANGE, GRANTS])
      await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    const [row] = (await runner.query(
      `SELECT EXISTS (SELECT 1 FROM log.forgotten) AS used`,
    )) as readonly { used: boolean }[];
    if (row?.used !== false) throw new Error('a log that has forgotten records keeps saying so');
    for (const name of ['drop_empty_range', 'sweep', 'forget'])
      await runner.query(`DROP FUNCTION log.${name}`);
    await runner.query(`DROP TABLE log.forgotten`);
  }
}

/** No references to log.partition: they would wait for appends, and appends for them. */
const FORGOTTEN = `
  CREATE TABLE log.forgotten (
    topic text NOT NULL,
    partition int NOT NULL,
    first_offset bigint NOT NULL CHECK (first_offset >= 0),
    end_offset bigint NOT NULL,
    swept_to bigint NOT NULL,
    first_leaf bigint NOT NULL,
    end_leaf bigint NOT NULL,
    record_leaf bigint NOT NULL,
    seen_leaves bigint NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, first_offset),
    CHECK (first_offset <= swept_to AND swept_to <= end_offset AND first_offset < end_offset)
  );
  CREATE INDEX forgotten_leaves ON log.forgotten (first_leaf);
  CREATE INDEX forgotten_unswept ON log.forgotten (forgotten_at) WHERE swept_to < end_offset;
  COMMENT ON TABLE log.forgotten IS
    'Offsets that are no longer delivered: their leaves were removed under the retention policy, as record_leaf says.';
  COMMENT ON COLUMN log.forgotten.swept_to IS 'Bytes of the offsets before this are gone.';
  COMMENT ON COLUMN log.forgotten.seen_leaves IS 'Leaves when it was decided: a hold that came later still stops the sweep.';
`;

/** The trigger of every range calls refuse_change(): what was forgotten in due form may go, for the owner alone. */
const GUARDS = `
  CREATE OR REPLACE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP = 'DELETE' AND TG_LEVEL = 'ROW' AND TG_TABLE_NAME LIKE 'record%' THEN
      IF EXISTS (SELECT 1 FROM log.forgotten f WHERE f.topic = OLD.topic AND f.partition = OLD.partition
                  AND f.first_offset <= OLD."offset" AND f.end_offset > OLD."offset") THEN
        RETURN OLD;
      END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % on %.%', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege';
  END $$;
  CREATE FUNCTION log.only_sweeps_on() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.swept_to < OLD.swept_to OR
       (to_jsonb(NEW) - 'swept_to') <> (to_jsonb(OLD) - 'swept_to') THEN
      RAISE EXCEPTION 'what the log has forgotten stays so' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER forgotten_only_sweeps_on BEFORE UPDATE ON log.forgotten
    FOR EACH ROW EXECUTE FUNCTION log.only_sweeps_on();
  CREATE TRIGGER forgotten_stays BEFORE DELETE OR TRUNCATE ON log.forgotten
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
`;

/**
 * Decides that the records of these leaves are no longer delivered, and says of which offsets. All of it is asked here,
 * whoever calls: that the log has the record of their removal, that the archive has let them go, that all were folded,
 * their age by this log's own clock, the holds. Answers 'forgotten', also where they were before; else why not.
 */
const FORGET = `
  CREATE FUNCTION log.forget(p_first bigint, p_end bigint) RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    -- No law that we know of is content with less, whatever a policy or a defect of ours may say.
    least_age CONSTANT interval := '6 months';
    here text;
    seen bigint;
    said record;
    place record;
    places int := 0;
  BEGIN
    IF to_regclass('ledger.retention_range') IS NULL THEN RETURN 'elsewhere'; END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.forget', 0));
    SELECT 'postgres:' || i.log_id INTO here FROM log.identity i;
    IF EXISTS (SELECT 1 FROM log.forgotten f WHERE f.first_leaf = p_first AND f.end_leaf = p_end) THEN
      RETURN 'forgotten';
    END IF;
    SELECT t.size INTO seen FROM ledger.tree_state t;
    SELECT r.leaf_index, r.before, x.removed_at INTO said
      FROM ledger.retention_range x JOIN ledger.retention r USING (leaf_index) JOIN ledger.leaf l USING (leaf_index)
      JOIN ledger.leaf a ON a.leaf_index = x.first_leaf AND a.leaf_hash = x.first_hash
      JOIN ledger.leaf z ON z.leaf_index = x.end_leaf - 1 AND z.leaf_hash = x.last_hash
     WHERE x.first_leaf = p_first AND x.end_leaf = p_end AND l.type = 'custos.retention.applied.v1'
     ORDER BY r.before DESC LIMIT 1;
    IF NOT FOUND THEN RETURN 'not_recorded'; END IF;
    IF said.removed_at IS NULL THEN RETURN 'not_removed'; END IF;
    IF said.before > clock_timestamp() - least_age THEN RETURN 'too_young'; END IF;
    FOR place IN
      SELECT s.topic, s.partition, s.next_offset AS fence, min(l.record_offset) AS first, max(l.record_offset) AS last,
             count(*) AS n, max(l.recorded_at) AS newest
        FROM ledger.leaf l JOIN ledger.source_offset s ON s.id = l.source_id
       WHERE l.leaf_index >= p_first AND l.leaf_index < p_end AND s.log_id = here
       GROUP BY s.topic, s.partition, s.next_offset
    LOOP
      places := places + 1;
      IF place.n <> place.last - place.first + 1 OR place.last >= place.fence THEN
        RAISE EXCEPTION 'leaves % to % are no whole part of %/%', p_first, p_end, place.topic, place.partition
          USING ERRCODE = 'data_corrupted';
      END IF;
      -- Times rise with offsets as far as the clock does; the sweep asks each record.
      IF place.newest >= said.before OR EXISTS (
        SELECT 1 FROM log.record r WHERE r.topic = place.topic AND r.partition = place.partition
           AND r."offset" = place.last AND r.recorded_at >= said.before) THEN
        RETURN 'too_young';
      END IF;
    END LOOP;
    IF places = 0 THEN RETURN 'elsewhere'; END IF;
    IF ledger.hold_over(p_first, p_end) IS NOT NULL THEN RETURN 'held'; END IF;
    -- Looking took its time; from here on nothing is posted, so a hold that came meanwhile is seen.
    PERFORM 1 FROM ledger.tree_state FOR UPDATE;
    IF EXISTS (SELECT 1 FROM ledger.legal_hold h WHERE h.set_leaf >= seen AND h.lifted_leaf IS NULL) THEN
      RETURN 'held';
    END IF;
    INSERT INTO log.forgotten
      (topic, partition, first_offset, end_offset, swept_to, first_leaf, end_leaf, record_leaf, seen_leaves)
    SELECT s.topic, s.partition, min(l.record_offset), max(l.record_offset) + 1, min(l.record_offset),
           p_first, p_end, said.leaf_index, seen
      FROM ledger.leaf l JOIN ledger.source_offset s ON s.id = l.source_id
     WHERE l.leaf_index >= p_first AND l.leaf_index < p_end AND s.log_id = here
     GROUP BY s.topic, s.partition;
    RETURN 'forgotten';
  END $$`;

/**
 * Deletes up to so many records that were forgotten, and answers how many; null where nothing is left to do. Appends are
 * neither waited for nor kept waiting. A table that has lost rows is vacuumed soon, whatever its size: until then the
 * bytes lie in the file.
 */
const SWEEP = `
  CREATE FUNCTION log.sweep(p_max int) RETURNS bigint
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

/**
 * A range that every counter has passed, or not come to, and whose file is empty is taken off the table; the next call
 * drops it, which nobody waits for. True while there may be more to do. Detaching keeps appends waiting for a moment: it
 * gives up within 50 ms where a reader stays on the table, and says so by lock_not_available.
 */
const DROP_EMPTY_RANGE = `
  CREATE FUNCTION log.drop_empty_range() RETURNS boolean
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
  DECLARE
    part record;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.ensure_ranges', 0));
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
       WHERE i.inhparent = 'log.record'::regclass AND m IS NOT NULL AND pg_relation_size(c.oid) = 0
       ORDER BY 3
    LOOP
      CONTINUE WHEN part.until > (SELECT max(p.next_offset) FROM log.partition p);
      CONTINUE WHEN EXISTS (
        SELECT 1 FROM log.partition p WHERE p.next_offset >= part.first AND p.next_offset < part.until);
      LOCK TABLE ONLY log.record IN ACCESS EXCLUSIVE MODE;
      CONTINUE WHEN pg_relation_size(part.oid) > 0;
      EXECUTE format('ALTER TABLE log.record DETACH PARTITION log.%I', part.name);
      EXECUTE format('ALTER TABLE log.%I RENAME TO %I', part.name, 'forgotten_' || substring(part.name FROM '\\d+$'));
      RETURN true;
    END LOOP;
    RETURN false;
  END $$`;

const GRANTS = `
  REVOKE ALL ON FUNCTION log.forget, log.sweep, log.drop_empty_range, log.only_sweeps_on FROM PUBLIC;
  CREATE OR REPLACE FUNCTION log.grant_roles() RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_audit') THEN
      GRANT USAGE ON SCHEMA log TO custos_audit;
      GRANT SELECT ON log.identity TO custos_audit;
      GRANT EXECUTE ON FUNCTION log.append, log.ensure_ranges TO custos_audit;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'custos_app') THEN
      GRANT USAGE ON SCHEMA log TO custos_app;
      GRANT SELECT ON log.identity, log.partition, log.writer, log.record, log.forgotten TO custos_app;
      GRANT EXECUTE ON FUNCTION log.append, log.ensure_ranges, log.retire_writer, log.forget, log.sweep,
        log.drop_empty_range TO custos_app;
    END IF;
  END $$;
  SELECT log.grant_roles();
`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Partitions of each topic, as on Kafka; a frozen choice, since a writer's partition is a hash modulo this. */
const PARTITIONS_PER_TOPIC = 12;
const TOPICS = ['custos.audit.v1', 'custos.ledger.v1', 'custos.control.v1'];

/** Offsets per table: about 10 GB at 2 KB a record, small enough to be detached and archived as one piece. */
const OFFSETS_PER_RANGE = 5_000_000;

/**
 * Tables of the log. `partition` holds the counters (its row lock makes commit order equal offset order),
 * `writer` the high-water marks that make a repeated batch one, `record` the bytes.
 */
export class AuditLogTables1763720000001 implements MigrationInterface {
  readonly name = 'AuditLogTables1763720000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SCHEMA log`);
    await runner.query(`
      CREATE TABLE log.identity (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        log_id uuid NOT NULL DEFAULT gen_random_uuid(),
        partitions_per_topic int NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`INSERT INTO log.identity (partitions_per_topic) VALUES ($1)`, [
      PARTITIONS_PER_TOPIC,
    ]);
    // One hot row per partition: a low fillfactor keeps its updates on the page (HOT).
    await runner.query(`
      CREATE TABLE log.partition (
        topic text NOT NULL,
        partition int NOT NULL,
        next_offset bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
        notified_at timestamptz NOT NULL DEFAULT '-infinity',
        PRIMARY KEY (topic, partition)
      ) WITH (fillfactor = 20)`);
    await runner.query(
      `INSERT INTO log.partition (topic, partition)
       SELECT t, n FROM unnest($1::text[]) AS t, generate_series(0, $2::int - 1) AS n`,
      [TOPICS, PARTITIONS_PER_TOPIC],
    );
    // batch_*: the last stored batch, so that its repetition is answered without looking at the records.
    await runner.query(`
      CREATE TABLE log.writer (
        writer text PRIMARY KEY,
        topic text,
        partition int,
        last_wseq bigint NOT NULL CHECK (last_wseq >= -1),
        batch_first_wseq bigint,
        batch_offset bigint,
        retired_at timestamptz,
        FOREIGN KEY (topic, partition) REFERENCES log.partition
      ) WITH (fillfactor = 50)`);
    // Records are JSON of about 2 KB that compresses slowly: stored plain and in line up to 8 KB.
    await runner.query(`
      CREATE TABLE log.record (
        topic text NOT NULL,
        partition int NOT NULL,
        "offset" bigint NOT NULL,
        writer text NOT NULL,
        wseq bigint NOT NULL,
        recorded_at timestamptz NOT NULL,
        value bytea STORAGE EXTERNAL NOT NULL,
        PRIMARY KEY (topic, partition, "offset")
      ) PARTITION BY RANGE ("offset")`);
    await runner.query(`
      CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'the audit log is append-only: % on %.%', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
          USING ERRCODE = 'insufficient_privilege';
      END $$`);
    await runner.query(`
      CREATE TRIGGER record_is_append_only BEFORE UPDATE OR DELETE ON log.record
        FOR EACH ROW EXECUTE FUNCTION log.refuse_change()`);
    for (const table of ['record', 'partition', 'writer', 'identity'])
      await runner.query(`
        CREATE TRIGGER ${table}_is_never_truncated BEFORE TRUNCATE ON log.${table}
          FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change()`);
    for (const table of ['partition', 'writer', 'identity'])
      await runner.query(`
        CREATE TRIGGER ${table}_is_never_deleted BEFORE DELETE ON log.${table}
          FOR EACH ROW EXECUTE FUNCTION log.refuse_change()`);
    // The net: nothing is refused when the next range is late, and ensure_ranges() then says so.
    await runner.query(`
      CREATE TABLE log.record_default PARTITION OF log.record DEFAULT WITH (toast_tuple_target = 8160)`);
    await runner.query(ENSURE_RANGES);
    await runner.query(`SELECT log.ensure_ranges()`);
  }

  async down(runner: QueryRunner): Promise<void> {
    const [row] = (await runner.query(
      `SELECT EXISTS (SELECT 1 FROM log.record) AS used`,
    )) as readonly { used: boolean }[];
    if (row?.used !== false) throw new Error('an audit log with records is never dropped');
    await runner.query(`DROP SCHEMA log CASCADE`);
  }
}

/**
 * Creates the range of the highest counter and the one after it, and answers how many records (up to 1,000) lie
 * in the net. Attaching takes no lock that an append or a read waits for beyond a moment: the net is empty. A
 * range of which the net holds records stays there: nothing is moved, so nothing can be lost by moving it.
 */
const ENSURE_RANGES = `
  CREATE FUNCTION log.ensure_ranges() RETURNS int
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
  DECLARE
    size CONSTANT bigint := ${OFFSETS_PER_RANGE};
    current_range bigint;
    leaf text;
  BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('custos.log.ensure_ranges', 0));
    SELECT coalesce(max(next_offset), 0) / size INTO current_range FROM log.partition;
    FOR n IN current_range .. current_range + 1 LOOP
      leaf := format('record_%s', n);
      CONTINUE WHEN to_regclass('log.' || leaf) IS NOT NULL;
      CONTINUE WHEN EXISTS (
        SELECT 1 FROM log.record_default d WHERE d."offset" >= n * size AND d."offset" < (n + 1) * size);
      EXECUTE format('CREATE TABLE log.%I (LIKE log.record INCLUDING STORAGE) WITH (toast_tuple_target = 8160)', leaf);
      EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON log.%I FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change()',
        leaf || '_is_never_truncated', leaf);
      EXECUTE format('ALTER TABLE log.record ATTACH PARTITION log.%I FOR VALUES FROM (%s) TO (%s)',
        leaf, n * size, (n + 1) * size);
    END LOOP;
    RETURN (SELECT count(*) FROM (SELECT 1 FROM log.record_default LIMIT 1000) d);
  END $$`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `log.append` and `log.retire_writer`: the only ways in. Both run as the owner, with a fixed search path. */
export class AuditLogAppend1763720000002 implements MigrationInterface {
  readonly name = 'AuditLogAppend1763720000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE FUNCTION ${appendFunction('')}`);
    await runner.query(RETIRE_WRITER);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION log.retire_writer`);
    await runner.query(`DROP FUNCTION log.append`);
  }
}

/**
 * Appends batches in one transaction and answers one row each, in their order:
 *  - `stored`: base_offset is the first value's; `offsets` only where they are not dense;
 *  - `gap`: first_wseq is beyond the writer's next, or the writer moved to another partition; nothing stored;
 *  - `retired`: the writer was retired; nothing stored.
 * The batch's values are one bytea, cut at `ends` (cumulated lengths over all batches): one binary parameter
 * costs the client nothing to encode, an array of bytea costs it hex. Settings that would let a commit be lost
 * raise CU001, inside the very call, because an administrator can change them under a running server.
 * `first`: statements that a later migration puts before all others.
 */
export const appendFunction = (first: string): string => `log.append(
    topics text[], partitions int[], writers text[], first_wseqs bigint[], counts int[], ends int[], data bytea)
  RETURNS TABLE (outcome text, base_offset bigint, offsets bigint[])
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DECLARE
    -- A value's ceiling, as libs/audit-events has it.
    value_bytes_max CONSTANT int := 16384;
    -- A busy partition wakes its readers this often; NOTIFY at every commit would serialise all commits.
    notify_every CONSTANT interval := '20 ms';
    stamp timestamptz;
    free bigint;
    notified timestamptz;
    w log.writer%ROWTYPE;
    unheard boolean;
    last_wseq bigint;
    known int;
    value_at int := 0;
  BEGIN${first}
    IF current_setting('fsync') <> 'on' OR current_setting('full_page_writes') <> 'on'
       OR current_setting('synchronous_commit') = 'off'
       OR (current_setting('synchronous_commit') = 'local' AND current_setting('synchronous_standby_names') <> '')
    THEN
      RAISE EXCEPTION 'fsync, full_page_writes or synchronous_commit is not safe' USING ERRCODE = 'CU001';
    END IF;
    IF ends[1] > value_bytes_max OR EXISTS (
      SELECT 1 FROM generate_subscripts(ends, 1) i WHERE i > 1 AND ends[i] - ends[i - 1] > value_bytes_max)
    THEN
      RAISE EXCEPTION 'a value is over % bytes', value_bytes_max USING ERRCODE = 'CU002';
    END IF;
    IF array_length(topics, 1) > 1 THEN
      -- Always in the same order, so that two appenders never wait for each other.
      PERFORM 1 FROM log.partition p
       WHERE (p.topic, p.partition) IN (SELECT u.t, u.n FROM unnest(topics, partitions) AS u (t, n))
       ORDER BY p.topic, p.partition FOR UPDATE;
    END IF;
    FOR b IN 1 .. array_length(topics, 1) LOOP
      SELECT p.next_offset, p.notified_at INTO free, notified FROM log.partition p
       WHERE p.topic = topics[b] AND p.partition = partitions[b] FOR UPDATE;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'no such partition: % %', topics[b], partitions[b] USING ERRCODE = 'CU003';
      END IF;
      -- Taken under the lock, so that times rise with offsets as far as the clock does.
      stamp := clock_timestamp();
      SELECT * INTO w FROM log.writer x WHERE x.writer = writers[b];
      unheard := NOT FOUND;
      last_wseq := coalesce(w.last_wseq, -1);
      base_offset := NULL;
      offsets := NULL;
      known := greatest(0, least(counts[b], last_wseq + 1 - first_wseqs[b]));
      IF w.retired_at IS NOT NULL THEN
        outcome := 'retired';
      ELSIF first_wseqs[b] > last_wseq + 1
         OR (NOT unheard AND (w.topic <> topics[b] OR w.partition <> partitions[b])) THEN
        outcome := 'gap';
      ELSE
        outcome := 'stored';
        IF known = 0 THEN
          base_offset := free;
        ELSIF first_wseqs[b] >= w.batch_first_wseq THEN
          base_offset := w.batch_offset + first_wseqs[b] - w.batch_first_wseq;
          IF known < counts[b] AND base_offset + known <> free THEN
            offsets := ARRAY(SELECT generate_series(base_offset, base_offset + known - 1));
          END IF;
        ELSE
          -- Older than the last batch: no writer of ours asks this, so it may cost a walk over the partition.
          offsets := ARRAY(
            SELECT r."offset" FROM log.record r
             WHERE r.topic = topics[b] AND r.partition = partitions[b] AND r.writer = writers[b]
               AND r.wseq BETWEEN first_wseqs[b] AND first_wseqs[b] + known - 1 ORDER BY r.wseq);
          base_offset := offsets[1];
        END IF;
        IF known < counts[b] THEN
          INSERT INTO log.record (topic, partition, "offset", writer, wseq, recorded_at, value)
          SELECT topics[b], partitions[b], free + i - known, writers[b], first_wseqs[b] + i, stamp,
                 substring(data FROM coalesce(ends[value_at + i], 0) + 1
                           FOR ends[value_at + i + 1] - coalesce(ends[value_at + i], 0))
            FROM generate_series(known, counts[b] - 1) i;
          IF offsets IS NOT NULL THEN
            offsets := offsets || ARRAY(SELECT generate_series(free, free + counts[b] - known - 1));
          END IF;
          IF stamp - notified > notify_every THEN
            PERFORM pg_notify('custos_log', '');
            notified := stamp;
          END IF;
          UPDATE log.partition p SET next_offset = free + counts[b] - known, notified_at = notified
           WHERE p.topic = topics[b] AND p.partition = partitions[b];
          IF unheard THEN
            INSERT INTO log.writer (writer, topic, partition, last_wseq, batch_first_wseq, batch_offset)
            VALUES (writers[b], topics[b], partitions[b], first_wseqs[b] + counts[b] - 1,
                    first_wseqs[b] + known, free);
          ELSE
            UPDATE log.writer x SET last_wseq = first_wseqs[b] + counts[b] - 1,
                   batch_first_wseq = first_wseqs[b] + known, batch_offset = free
             WHERE x.writer = writers[b];
          END IF;
        END IF;
      END IF;
      value_at := value_at + counts[b];
      RETURN NEXT;
    END LOOP;
  END $$`;

/** Waits for an append of that writer that is under way: after it returns, none will be stored any more. */
const RETIRE_WRITER = `
  CREATE FUNCTION log.retire_writer(dead text) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  BEGIN
    PERFORM 1 FROM log.partition p JOIN log.writer w USING (topic, partition)
      WHERE w.writer = dead FOR UPDATE OF p;
    INSERT INTO log.writer AS w (writer, last_wseq, retired_at) VALUES (dead, -1, clock_timestamp())
      ON CONFLICT (writer) DO UPDATE SET retired_at = coalesce(w.retired_at, excluded.retired_at);
  END $$`;

import type pg from 'pg';
import { TOPICS } from '#libs/audit-events';

const BATCH = 1_000;
const BATCHES_MAX = 100;

/**
 * The yardstick of the same run: the same records into a table of nothing but a number and their bytes, a thousand to a
 * durable commit, by one multi-row INSERT each. Records per second.
 */
export async function bareRowsPerSecond(client: pg.Client): Promise<number> {
  await client.query(`create table public.bare (id bigint primary key, value bytea storage external not null)
    with (toast_tuple_target = 8160)`);
  const { rows: ends } = await client.query<{ partition: number; next_offset: string }>(
    `select partition, next_offset from log.partition where topic = $1 order by next_offset desc`,
    [TOPICS.audit],
  );
  let records = 0;
  let spentMs = 0;
  for (const { partition, next_offset } of ends)
    for (let at = 0; at < Number(next_offset) && records < BATCH * BATCHES_MAX; at += BATCH) {
      const { rows } = await client.query<{ value: Buffer }>(
        `select value from log.record where topic = $1 and partition = $2
         and "offset" >= $3 and "offset" < $4 order by "offset"`,
        [TOPICS.audit, partition, at, at + BATCH],
      );
      const lengths = rows.map((r) => r.value.length);
      let end = 1;
      const starts = lengths.map((length) => (end += length) - length);
      const data = Buffer.concat(rows.map((r) => r.value));
      const startMs = performance.now();
      await client.query({
        name: 'bench.bare',
        text: `insert into public.bare select n, substring($4::bytea from at for length)
          from unnest($1::bigint[], $2::integer[], $3::integer[]) as cut(n, at, length)`,
        values: [rows.map((_, i) => records + i), starts, lengths, data],
      });
      spentMs += performance.now() - startMs;
      records += rows.length;
    }
  return (records * 1_000) / spentMs;
}

// What a PostgreSQL did beside answering, by its own counters.
import type pg from 'pg';

export interface ServerCounters {
  readonly walBytes: number;
  /** Pages written whole, as the first change after a checkpoint writes them. */
  readonly fullPages: number;
  readonly checkpoints: number;
  /** Of the tables of the database that is asked. */
  readonly autovacuums: number;
  readonly autoanalyzes: number;
}

export async function serverCounters(superuser: pg.Client): Promise<ServerCounters> {
  await superuser.query('select pg_stat_force_next_flush()');
  const { rows } = await superuser.query<Record<keyof ServerCounters, string>>(
    `select pg_current_wal_insert_lsn() - '0/0' as "walBytes", w.wal_fpi as "fullPages", c.num_done as checkpoints,
       t.autovacuums, t.autoanalyzes
     from pg_stat_wal w, pg_stat_checkpointer c,
       (select sum(autovacuum_count) as autovacuums, sum(autoanalyze_count) as autoanalyzes from pg_stat_all_tables) t`,
  );
  const { walBytes, fullPages, checkpoints, autovacuums, autoanalyzes } = rows[0]!;
  return {
    walBytes: Number(walBytes),
    fullPages: Number(fullPages),
    checkpoints: Number(checkpoints),
    autovacuums: Number(autovacuums),
    autoanalyzes: Number(autoanalyzes),
  };
}

export const countedBetween = (before: ServerCounters, after: ServerCounters): ServerCounters => ({
  walBytes: after.walBytes - before.walBytes,
  fullPages: after.fullPages - before.fullPages,
  checkpoints: after.checkpoints - before.checkpoints,
  autovacuums: after.autovacuums - before.autovacuums,
  autoanalyzes: after.autoanalyzes - before.autoanalyzes,
});
